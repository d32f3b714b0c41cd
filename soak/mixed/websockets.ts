import type { RawClient } from "../../test/support/client.ts";
import { handshake } from "../../test/support/websocket.ts";
import { type Actor, each, type Performance } from "./actor.ts";
import { type MixedEdge, NAME } from "./edge.ts";
import { expectSame, openTls, PATIENCE_MS } from "./http1.ts";
import { expectPattern, pattern } from "./pattern.ts";

const BINARY = 0x82;
const CLOSE = 0x88;

/** A frame below 64 KiB, masked with zeros as a client must mask. */
function frame(first: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([first, ...size, 0, 0, 0, 0]), payload]);
}

async function take(raw: RawClient, first: number): Promise<Buffer> {
  const [type, short = 0] = await raw.peer.take(2, PATIENCE_MS);
  expectSame("first byte of a frame", type, first);
  const length = short < 126 ? short : (await raw.peer.take(2, PATIENCE_MS)).readUInt16BE(0);
  return raw.peer.take(length, PATIENCE_MS);
}

async function echo(raw: RawClient, length: number): Promise<void> {
  await raw.send(frame(BINARY, pattern(length)));
  expectPattern(await take(raw, BINARY), length);
}

async function upgraded(raw: RawClient): Promise<void> {
  await raw.send(handshake("/ws").replace("gw.test", NAME));
  const { status } = await raw.response("GET", PATIENCE_MS);
  expectSame("status", status, 101);
}

async function used(edge: MixedEdge): Promise<RawClient> {
  const { raw } = await openTls(edge);
  await upgraded(raw);
  await echo(raw, 5);
  await echo(raw, 20_000);
  return raw;
}

async function closedInOrder(edge: MixedEdge): Promise<void> {
  using raw = await used(edge);
  await raw.send(frame(CLOSE, Buffer.from([3, 232])));
  expectSame("code of the close", (await take(raw, CLOSE)).readUInt16BE(0), 1000);
  await raw.peer.ending(PATIENCE_MS);
}

async function reset(edge: MixedEdge): Promise<void> {
  using raw = await used(edge);
  await raw.send(frame(BINARY, pattern(10_000)).subarray(0, 5000));
}

async function kept(edge: MixedEdge): Promise<Performance> {
  const client = await openTls(edge);
  await upgraded(client.raw);
  return { act: () => echo(client.raw, 1000), close: () => client[Symbol.dispose]() };
}

/** WebSockets over TLS and HTTP/1.1. */
export const WEBSOCKET_ACTORS: readonly Actor[] = [
  { name: "WebSocket that stays", everyMs: 500, performers: 10, start: kept },
  { name: "WebSocket closed in order", everyMs: 500, start: each(closedInOrder) },
  { name: "WebSocket reset within a frame", everyMs: 700, start: each(reset) },
];
