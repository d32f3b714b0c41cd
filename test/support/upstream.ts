import type { TLSOptions } from "bun";
import { parseRequest, type RequestMessage } from "./message.ts";
import { Peer, PeerError, peerHandlers } from "./peer.ts";

/** One connection that a scripted upstream accepted. */
export class UpstreamConnection {
  readonly peer: Peer;
  /** Counts the upstream's connections from 0. */
  readonly index: number;
  readonly #record: (request: RequestMessage) => void;

  constructor(peer: Peer, index: number, record: (request: RequestMessage) => void) {
    this.peer = peer;
    this.index = index;
    this.#record = record;
  }

  send(data: string | Uint8Array): Promise<void> {
    return this.peer.send(data);
  }

  /** The next request as soon as its head is there, not consumed; `body` holds what has arrived. */
  async head(timeoutMs?: number): Promise<RequestMessage> {
    await this.peer.until(() => parseRequest(this.peer.received) !== null, "a request head", timeoutMs);
    const request = parseRequest(this.peer.received);
    if (request === null) throw new PeerError("the request head is gone");
    return request;
  }

  /** The next whole request, consumed and recorded. */
  async request(timeoutMs?: number): Promise<RequestMessage> {
    const isWhole = () => parseRequest(this.peer.received)?.isComplete ?? false;
    await this.peer.until(isWhole, "a whole request", timeoutMs);
    const request = parseRequest(this.peer.received);
    if (request === null) throw new PeerError("the request is gone");
    // The body is a view on the receive buffer, which goes on changing.
    const kept = { ...request, body: Buffer.from(request.body) };
    this.peer.consume(request.length);
    this.#record(kept);
    return kept;
  }
}

/** What an upstream does with each connection; returning leaves the connection as it is. */
export type Script = (connection: UpstreamConnection) => Promise<void>;

export interface UpstreamSetup {
  /** Spoken from the first byte; in the clear without. */
  readonly tls?: TLSOptions;
}

export interface Upstream extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:port`, or with `https` */
  readonly url: string;
  readonly connections: readonly UpstreamConnection[];
  /** Whole requests in the order of their arrival. */
  readonly requests: readonly RequestMessage[];
  /** Waits until so many whole requests have been read. */
  taken(count: number, timeoutMs?: number): Promise<void>;
  /** Waits for the connection of this index to be accepted. */
  connection(index: number, timeoutMs?: number): Promise<UpstreamConnection>;
  /** Resets what is open; rejects with what went wrong in a script, but for a connection that ended. */
  close(): Promise<void>;
}

async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new PeerError(`no ${what} within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Promises by number, made when they are first asked for. */
function milestones<T>(): (at: number) => PromiseWithResolvers<T> {
  const known: PromiseWithResolvers<T>[] = [];
  return (at) => {
    known[at] ??= Promise.withResolvers<T>();
    return known[at];
  };
}

/** A TCP or TLS server that follows a script on every connection and keeps every request that it reads. */
export function startUpstream(script: Script, { tls }: UpstreamSetup = {}): Upstream {
  const connections: UpstreamConnection[] = [];
  const requests: RequestMessage[] = [];
  const failures: unknown[] = [];
  const arrival = milestones<UpstreamConnection>();
  const taken = milestones<void>();
  const record = (request: RequestMessage) => taken(requests.push(request)).resolve();
  const server = Bun.listen<Peer>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    ...(tls === undefined ? {} : { tls }),
    socket: {
      ...peerHandlers,
      open(socket) {
        socket.data = new Peer(socket);
        const connection = new UpstreamConnection(socket.data, connections.length, record);
        connections.push(connection);
        arrival(connection.index).resolve(connection);
        script(connection).catch((error: unknown) => {
          if (!(error instanceof PeerError)) failures.push(error);
        });
      },
    },
  });
  const close = async () => {
    for (const { peer } of connections) if (!peer.isGone) peer.reset();
    server.stop(true);
    if (failures.length > 0) throw failures[0];
  };
  return {
    port: server.port,
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${server.port}`,
    connections,
    requests,
    taken: (count, timeoutMs = 10_000) => within(taken(count).promise, timeoutMs, `request ${count}`),
    connection: (index, timeoutMs = 10_000) => within(arrival(index).promise, timeoutMs, `connection ${index}`),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Answers every request on every connection with what the function says, and follows `Connection: close`. */
export function startAnswering(
  answer: (request: RequestMessage, connection: UpstreamConnection) => string | Uint8Array,
  setup: UpstreamSetup = {},
): Upstream {
  return startUpstream(async (connection) => {
    for (;;) {
      const request = await connection.request(600_000);
      await connection.send(answer(request, connection));
    }
  }, setup);
}

/** `200` with a text and its length. */
export function ok(body = "ok", ...fields: readonly string[]): string {
  return ["HTTP/1.1 200 OK", "Content-Type: text/plain", `Content-Length: ${body.length}`, ...fields, "", body].join(
    "\r\n",
  );
}

/** What the echo upstream saw, as it tells in its JSON answer. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly host: string | null;
  /** Lower-case names; several values joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Latin-1. */
  readonly body: string;
}

function seen(request: RequestMessage): Seen {
  const headers: Record<string, string> = {};
  for (const [name, value] of request.headers) {
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  return {
    method: request.method,
    path: request.target,
    host: headers["host"] ?? null,
    headers,
    body: request.body.toString("latin1"),
  };
}

/** Answers every request with 200 and a JSON object of what arrived (see Seen). */
export function startEcho(): Upstream {
  return startAnswering((request) => {
    const body = Buffer.from(JSON.stringify(seen(request)));
    const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    return request.method === "HEAD" ? head : Buffer.concat([Buffer.from(head), body]);
  });
}
