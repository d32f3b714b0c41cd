import { connect } from "../../test/support/client.ts";
import { clientHello } from "../../test/support/client-hello.ts";
import { frame, TYPE } from "../../test/support/h2-upstream.ts";
import { type Actor, each } from "./actor.ts";
import { type MixedEdge, NAME } from "./edge.ts";
import { expectSame, head, PATIENCE_MS } from "./http1.ts";
import { openRawH2 } from "./raw-http2.ts";

const FRAME_SIZE_ERROR = 6;
const PROTOCOL_ERROR = 1;

async function garbage(edge: MixedEdge): Promise<void> {
  using raw = await connect({ port: edge.ports.https });
  await raw.send(crypto.getRandomValues(new Uint8Array(400)));
  await raw.peer.ending(PATIENCE_MS);
}

async function plainHttp(edge: MixedEdge): Promise<void> {
  using raw = await connect({ port: edge.ports.https });
  await raw.send(head("GET /"));
  expectSame("status", (await raw.response("GET", PATIENCE_MS)).status, 400);
}

let hello: Promise<Buffer> | null = null;

/** Half a ClientHello; stays until it is turned away, or leaves. */
async function half(edge: MixedEdge, stays: boolean): Promise<void> {
  hello ??= clientHello("-servername", NAME);
  const bytes = await hello;
  using raw = await connect({ port: edge.ports[stays ? "https" : "names"] });
  await raw.send(bytes.subarray(0, bytes.length >> 1));
  if (stays) await raw.peer.ending(PATIENCE_MS);
  else await Bun.sleep(50);
}

/** A whole one, and then nothing of the handshake. */
async function silentHandshake(edge: MixedEdge): Promise<void> {
  hello ??= clientHello("-servername", NAME);
  using raw = await connect({ port: edge.ports.https });
  await raw.send(await hello);
  await raw.peer.until(() => raw.peer.receivedBytes > 0, "the server's part", PATIENCE_MS);
  await raw.peer.ending(PATIENCE_MS);
}

async function silent(edge: MixedEdge): Promise<void> {
  using raw = await connect({ port: edge.ports.http });
  await raw.peer.ending(PATIENCE_MS * 2);
}

async function oversizedFrame(edge: MixedEdge): Promise<void> {
  using client = await openRawH2(edge);
  await client.tls.raw.send(frame(TYPE.data, 0, 1, new Uint8Array(100_000)));
  expectSame("error code", (await client.next(TYPE.goaway)).readUInt32BE(4), FRAME_SIZE_ERROR);
  await client.tls.raw.peer.ending(PATIENCE_MS);
}

async function wrongFrame(edge: MixedEdge): Promise<void> {
  using client = await openRawH2(edge);
  await client.tls.raw.send(frame(TYPE.data, 0, 0, new Uint8Array(10)));
  expectSame("error code", (await client.next(TYPE.goaway)).readUInt32BE(4), PROTOCOL_ERROR);
}

async function refused(edge: MixedEdge, request: string, status: number): Promise<void> {
  using raw = await connect({ port: edge.ports.http });
  await raw.send(request);
  expectSame("status", (await raw.response("GET", PATIENCE_MS)).status, status);
}

/** Clients that speak badly or not at all. */
export const STRANGER_ACTORS: readonly Actor[] = [
  { name: "garbage for TLS", everyMs: 500, start: each(garbage) },
  { name: "plain HTTP for TLS", everyMs: 500, start: each(plainHttp) },
  { name: "half a ClientHello that stays", everyMs: 1000, start: each((edge) => half(edge, true)) },
  { name: "half a ClientHello that leaves", everyMs: 1000, start: each((edge) => half(edge, false)) },
  { name: "a handshake that stays", everyMs: 1000, start: each(silentHandshake) },
  { name: "a client that says nothing", everyMs: 1000, start: each(silent) },
  { name: "h2 frame too large", everyMs: 500, start: each(oversizedFrame) },
  { name: "h2 frame out of place", everyMs: 500, start: each(wrongFrame) },
  { name: "a malformed request", everyMs: 500, start: each((edge) => refused(edge, "GET\r\n\r\n", 400)) },
  {
    name: "a head too large",
    everyMs: 500,
    start: each((edge) => refused(edge, head("GET /h1/text/", `X-Long: ${"x".repeat(20_000)}`), 431)),
  },
  {
    name: "a path that leads nowhere",
    everyMs: 500,
    start: each((edge) => refused(edge, head("GET /nowhere"), 404)),
  },
];
