import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { authority } from "../../test/support/certificates.ts";
import { type Actor, each } from "./actor.ts";
import { type MixedEdge, NAME, WAYS } from "./edge.ts";
import { expectSame } from "./http1.ts";
import { expectPattern, pattern } from "./pattern.ts";

const STREAMS = 32;
const MIB = 1024 * 1024;

/** A session with the https listener, or by prior knowledge with the http listener; and what became of it. */
export interface H2Client extends Disposable {
  readonly session: ClientHttp2Session;
}

/** Resolves when the session is there. */
export async function openH2(edge: MixedEdge, isSecure = true): Promise<H2Client> {
  const session = isSecure
    ? connect(`https://127.0.0.1:${edge.ports.https}`, { servername: NAME, ca: authority().cert })
    : connect(`http://127.0.0.1:${edge.ports.http}`);
  const opened = Promise.withResolvers<void>();
  session.on("connect", () => opened.resolve());
  session.on("error", opened.reject);
  session.on("close", () => opened.reject(new Error("the session is closed")));
  await opened.promise;
  return { session, [Symbol.dispose]: () => session.destroy() };
}

/** A stream with its request. Errors of the stream come out of `reply`, or are nobody's concern. */
export function request({ session }: H2Client, method: string, path: string): ClientHttp2Stream {
  const fields = { ":method": method, ":path": path, ":authority": NAME, ":scheme": "https" };
  const stream = session.request(fields, { endStream: method === "GET" });
  stream.on("error", () => {});
  return stream;
}

/** The whole body of an answer with 200. */
export function reply(stream: ClientHttp2Stream): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const pieces: Buffer[] = [];
  let status: number | undefined;
  let hasEnded = false;
  stream.on("response", (fields) => {
    status = fields[":status"];
  });
  stream.on("data", (piece: Buffer) => void pieces.push(piece));
  stream.on("end", () => {
    hasEnded = true;
  });
  stream.on("error", reject);
  stream.on("close", () => {
    const body = Buffer.concat(pieces);
    if (hasEnded && status === 200 && stream.rstCode === 0) return resolve(body);
    const text = body.toString("latin1", 0, 400);
    reject(new Error(`status ${status}, code ${stream.rstCode}, ended ${hasEnded}, ${body.length} bytes: ${text}`));
  });
  return promise;
}

/** Asks for a path whose answer is the path, and checks it. */
export async function askH2(client: H2Client, path: string): Promise<void> {
  const body = await reply(request(client, "GET", path));
  expectSame("body", body.toString("latin1"), path);
}

function kept(name: string, isSecure: boolean, everyMs: number): Actor {
  return {
    name,
    everyMs,
    async start(edge) {
      const client = await openH2(edge, isSecure);
      let asked = 0;
      return {
        async act() {
          const way = WAYS[asked++ % WAYS.length];
          await Promise.all(Array.from({ length: STREAMS }, (_, at) => askH2(client, `/${way}/text/${asked}-${at}`)));
        },
        close: () => client[Symbol.dispose](),
      };
    },
  };
}

async function fresh(edge: MixedEdge): Promise<void> {
  using client = await openH2(edge);
  await Promise.all([askH2(client, "/h1/text/new"), askH2(client, "/h2/text/new")]);
}

/** Downloads and uploads on one session, next to each other. */
function bulk(way: string): Actor {
  return {
    name: `h2 download and upload, ${way}`,
    everyMs: 1500,
    async start(edge) {
      const client = await openH2(edge);
      return {
        async act() {
          const up = request(client, "POST", `/${way}/sum`);
          up.end(pattern(MIB));
          const [down, sum] = await Promise.all([reply(request(client, "GET", `/${way}/bytes/${MIB}`)), reply(up)]);
          expectPattern(down, MIB);
          expectSame("what was received", sum.toString(), String(MIB));
        },
        close: () => client[Symbol.dispose](),
      };
    },
  };
}

/** HTTP/2, over TLS and by prior knowledge. */
export const HTTP2_ACTORS: readonly Actor[] = [
  kept("h2 kept, 32 streams", true, 150),
  kept("h2 kept in the clear, 32 streams", false, 300),
  { name: "h2 new", everyMs: 300, start: each(fresh) },
  ...WAYS.map(bulk),
];
