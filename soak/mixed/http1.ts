import type { RawClient } from "../../test/support/client.ts";
import { connectTls, type TlsClient, type TlsClientOptions } from "../../test/support/tls-client.ts";
import { type Actor, each } from "./actor.ts";
import { type MixedEdge, NAME, WAYS } from "./edge.ts";
import { checkPattern, pattern } from "./pattern.ts";

/** How long anything may take on a machine that has more to do. */
export const PATIENCE_MS = 20_000;
const MIB = 1024 * 1024;

/** A connection to the https listener. */
export function openTls(edge: MixedEdge, options: Partial<TlsClientOptions> = {}): Promise<TlsClient> {
  return connectTls({ port: edge.ports.https }, { name: NAME, ...options });
}

/** A request without a body, or the head of one with. */
export function head(line: string, ...fields: readonly string[]): string {
  return [`${line} HTTP/1.1`, `Host: ${NAME}`, ...fields, "", ""].join("\r\n");
}

/** Throws unless the two are the same. */
export function expectSame(what: string, got: unknown, expected: unknown): void {
  if (got !== expected) throw new Error(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(expected)}`);
}

/** Asks for a path whose answer is the path, and checks it. */
export async function ask(raw: RawClient, path: string): Promise<void> {
  await raw.send(head(`GET ${path}`));
  const { status, body } = await raw.response("GET", PATIENCE_MS);
  const text = body.toString("latin1");
  expectSame(`answer to ${path}`, `${status} ${text}`, `200 ${path}`);
}

/** Waits for the head of an answer with 200 and takes it, and interim ones before it. */
export async function takeHead(raw: RawClient): Promise<void> {
  for (let status = 100; status === 100; ) {
    ({ status } = await raw.head("GET", PATIENCE_MS));
    if (status !== 100) expectSame("status", status, 200);
    raw.peer.consume(raw.peer.received.indexOf("\r\n\r\n") + 4);
  }
}

/** Takes so many bytes of the pattern as they come, and checks them. */
export async function takePattern(raw: RawClient, length: number): Promise<void> {
  const check = checkPattern();
  while (check.length < length) {
    await raw.peer.until(() => raw.peer.received.length > 0, `bytes behind ${check.length}`, PATIENCE_MS);
    check.add(raw.peer.consume(raw.peer.received.length));
  }
  expectSame("length", check.length, length);
}

function keptFor(way: string): Actor {
  return {
    name: `h1 kept, ${way}`,
    everyMs: 25,
    performers: 2,
    async start(edge) {
      const client = await openTls(edge);
      let asked = 0;
      return {
        act: () => ask(client.raw, `/${way}/text/${asked++}`),
        close: () => client[Symbol.dispose](),
      };
    },
  };
}

async function fresh(edge: MixedEdge, options: Partial<TlsClientOptions>): Promise<void> {
  using client = await openTls(edge, options);
  await ask(client.raw, "/h1/text/new");
}

const RSA = { version: "TLSv1.2", signatures: "rsa_pss_rsae_sha256:RSA+SHA256:ECDSA+SHA256" } as const;

function resuming(): Actor {
  return {
    name: "h1 new, resumed if it can be",
    everyMs: 200,
    start(edge) {
      let session: Buffer | null = null;
      return {
        async act() {
          using client: TlsClient = await openTls(edge, session === null ? {} : { session });
          await ask(client.raw, "/h2/text/resumed");
          session = client.session();
        },
      };
    },
  };
}

function downloading(way: string): Actor {
  return {
    name: `h1 download, ${way}`,
    everyMs: 1500,
    start: each(async (edge) => {
      using client = await openTls(edge);
      await client.raw.send(head(`GET /${way}/bytes/${MIB}`));
      await takeHead(client.raw);
      await takePattern(client.raw, MIB);
      // The connection is of use afterwards.
      await ask(client.raw, `/${way}/text/after`);
    }),
  };
}

async function sendBody(raw: RawClient, isChunked: boolean): Promise<void> {
  const piece = 64 * 1024;
  for (let at = 0; at < MIB; at += piece) {
    const bytes = pattern(MIB).subarray(at, at + piece);
    if (isChunked) await raw.send(`${piece.toString(16)}\r\n`);
    await raw.send(bytes);
    if (isChunked) await raw.send("\r\n");
  }
  if (isChunked) await raw.send("0\r\n\r\n");
}

function uploading(way: string): Actor {
  let count = 0;
  return {
    name: `h1 upload, ${way}`,
    everyMs: 1500,
    start: each(async (edge) => {
      using client = await openTls(edge);
      const isChunked = count++ % 2 === 1;
      const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${MIB}`;
      await client.raw.send(head(`POST /${way}/sum`, framing));
      await sendBody(client.raw, isChunked);
      const { status, body } = await client.raw.response("POST", PATIENCE_MS);
      expectSame("status", status, 200);
      expectSame("what was received", body.toString(), String(MIB));
    }),
  };
}

/** HTTP/1.1 over TLS. */
export const HTTP1_ACTORS: readonly Actor[] = [
  ...WAYS.map(keptFor),
  { name: "h1 new, TLS 1.3", everyMs: 200, start: each((edge) => fresh(edge, {})) },
  { name: "h1 new, TLS 1.2", everyMs: 400, start: each((edge) => fresh(edge, { version: "TLSv1.2" })) },
  { name: "h1 new, RSA", everyMs: 400, start: each((edge) => fresh(edge, RSA)) },
  resuming(),
  ...WAYS.flatMap((way) => [downloading(way), uploading(way)]),
];
