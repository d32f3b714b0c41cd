import { createHash } from "node:crypto";
import { header, type RequestMessage } from "./message.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

/** What the origin saw of a request, as it tells in its JSON answer. */
export interface OriginSaw {
  readonly method: string;
  readonly target: string;
  /** Names in lower case; of equal ones the last. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBytes: number;
  /** Hex SHA-256 of the body. */
  readonly digest: string;
}

/** Hex SHA-256, as the origin tells it. */
export function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function saw({ method, target, headers, body }: RequestMessage): OriginSaw {
  const fields = headers.map(([name, value]) => [name.toLowerCase(), value]);
  return { method, target, headers: Object.fromEntries(fields), bodyBytes: body.length, digest: digest(body) };
}

const WITH_TRAILERS =
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: three\r\n\r\n";

function answer(request: RequestMessage): string {
  if (request.target === "/trailers") return WITH_TRAILERS;
  const body = JSON.stringify(saw(request));
  const fields = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
  return `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${request.method === "HEAD" ? "" : body}`;
}

/**
 * A service that tells in JSON what it saw (see OriginSaw), asks for the body of a request that expects to be asked,
 * and ends `/trailers` with some.
 */
export function startOrigin(): Upstream {
  return startUpstream(async (connection) => {
    for (;;) {
      const head = await connection.head(600_000);
      if (header(head, "expect") !== null) await connection.send("HTTP/1.1 100 Continue\r\n\r\n");
      await connection.send(answer(await connection.request(600_000)));
    }
  });
}
