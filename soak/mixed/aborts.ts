import { constants } from "node:http2";
import { connect } from "../../test/support/client.ts";
import { type Actor, each } from "./actor.ts";
import { type MixedEdge, WAYS } from "./edge.ts";
import { ask, expectSame, head, openTls, PATIENCE_MS, takeHead, takePattern } from "./http1.ts";
import { type H2Client, openH2, request } from "./http2.ts";
import { pattern } from "./pattern.ts";
import { openRawH2 } from "./raw-http2.ts";

const MIB = 1024 * 1024;
const STALL_MS = 3000;

async function resetInUpload(edge: MixedEdge, way: string): Promise<void> {
  using client = await openTls(edge);
  await client.raw.send(head(`POST /${way}/sum`, `Content-Length: ${MIB}`));
  await client.raw.send(pattern(300_000));
  await Bun.sleep(20);
}

async function resetInDownload(edge: MixedEdge, way: string): Promise<void> {
  using client = await openTls(edge);
  await client.raw.send(head(`GET /${way}/bytes/${4 * MIB}`));
  await takeHead(client.raw);
  await client.raw.peer.until(() => client.raw.peer.received.length > 0, "bytes of the body", PATIENCE_MS);
}

/** Leaves before the answer, with more requests behind the first. */
async function resetAtOnce(edge: MixedEdge, way: string): Promise<void> {
  using client = await openTls(edge);
  await client.raw.send(head(`GET /${way}/bytes/100000`) + head(`GET /${way}/text/second`));
}

/** Ends its side behind the request and still gets the whole answer. */
async function halfClosed(edge: MixedEdge): Promise<void> {
  using raw = await connect({ port: edge.ports.http });
  await raw.send(head("GET /h1/bytes/200000"));
  raw.peer.endSending();
  await takeHead(raw);
  await takePattern(raw, 200_000);
}

async function slowReader(edge: MixedEdge): Promise<void> {
  using client = await openTls(edge);
  await client.raw.send(head(`GET /h2/bytes/${8 * MIB}`));
  await takeHead(client.raw);
  client.raw.peer.pause();
  await Bun.sleep(STALL_MS);
  client.raw.peer.resume();
  await takePattern(client.raw, 8 * MIB);
  await ask(client.raw, "/h1/text/after");
}

/** Gives credit for the first 64 KiB only, then for all. */
async function slowReaderH2(edge: MixedEdge): Promise<void> {
  using client = await openRawH2(edge);
  await client.get("/h2c/bytes/1000000");
  await client.take(65_535);
  await Bun.sleep(STALL_MS);
  await client.credit(1_000_000);
  await client.take(1_000_000 - 65_535);
}

async function cancelled(client: H2Client, way: string): Promise<void> {
  const down = request(client, "GET", `/${way}/bytes/${MIB}`);
  await new Promise((resolve) => down.once("data", resolve));
  down.close(constants.NGHTTP2_CANCEL);
  const up = request(client, "POST", `/${way}/sum`);
  up.write(pattern(100_000));
  await Bun.sleep(20);
  up.close(constants.NGHTTP2_CANCEL);
  await Bun.sleep(20);
}

/** Streams that are cancelled on a session that goes on. */
function cancelling(): Actor {
  return {
    name: "h2 streams cancelled",
    everyMs: 200,
    async start(edge) {
      const client = await openH2(edge);
      let done = 0;
      return {
        act: () => cancelled(client, WAYS[done++ % WAYS.length] ?? "h1"),
        close: () => client[Symbol.dispose](),
      };
    },
  };
}

/** Leaves with 32 streams under way, some of them half open. */
async function sessionGone(edge: MixedEdge): Promise<void> {
  using client = await openH2(edge);
  const all = Array.from({ length: 32 }, (_, at) =>
    at % 4 === 0
      ? request(client, "POST", "/h1/sum")
      : request(client, "GET", `/${WAYS[at % WAYS.length]}/bytes/50000`),
  );
  const first = all[1];
  if (first === undefined) return;
  await new Promise((resolve) => first.once("data", resolve));
}

/** A stream without an end, which is left alone for a while and then finished. */
async function halfOpen(edge: MixedEdge): Promise<void> {
  using client = await openRawH2(edge);
  await client.post("/h2/sum");
  await client.send(pattern(10_000), false);
  await Bun.sleep(STALL_MS);
  await client.send(Buffer.alloc(0), true);
  expectSame("what was received", (await client.body()).toString(), "10000");
}

/** One after the other to services behind each protocol. */
function inTurn(act: (edge: MixedEdge, way: string) => Promise<void>): Actor["start"] {
  let turn = 0;
  return each((edge) => act(edge, WAYS[turn++ % WAYS.length] ?? "h1"));
}

/** Clients that leave early, or take their time. */
export const ABORT_ACTORS: readonly Actor[] = [
  { name: "h1 reset in an upload", everyMs: 300, start: inTurn(resetInUpload) },
  { name: "h1 reset in a download", everyMs: 300, start: inTurn(resetInDownload) },
  { name: "h1 reset at once", everyMs: 300, start: inTurn(resetAtOnce) },
  { name: "h1 half-closed", everyMs: 300, start: each(halfClosed) },
  { name: "h1 slow reader", everyMs: 4000, performers: 2, start: each(slowReader) },
  { name: "h2 slow reader", everyMs: 4000, performers: 2, start: each(slowReaderH2) },
  { name: "h2 half-open stream", everyMs: 4000, performers: 2, start: each(halfOpen) },
  { name: "h2 session gone", everyMs: 500, start: each(sessionGone) },
  cancelling(),
];
