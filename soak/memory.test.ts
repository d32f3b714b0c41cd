import { describe, expect, test } from "bun:test";
import { connect } from "../test/support/client.ts";
import { get, request } from "../test/support/forward.ts";
import type { Peer } from "../test/support/peer.ts";
import { ok, startUpstream, type UpstreamConnection } from "../test/support/upstream.ts";
import { handshake, SWITCHING } from "../test/support/websocket.ts";
import { catchAll } from "../test/support.ts";
import { type SoakGateway, startSoakGateway, watchPeak } from "./gateway.ts";

const MIB = 1024 * 1024;
const TOTAL_BYTES = 500 * MIB;
const STALL_MS = 4000;
const GROWTH_LIMIT_BYTES = 32 * MIB;
const BLOCK = new Uint8Array(MIB);

/** Sends it all and tells how much was taken so far. */
function pour(
  peer: Peer,
  block: Uint8Array | string,
  times: number,
): { readonly sent: () => number; readonly done: Promise<void> } {
  let sent = 0;
  const done = (async () => {
    for (let i = 0; i < times; i++) {
      await peer.send(block);
      sent += block.length;
    }
  })();
  return { sent: () => sent, done };
}

async function warm(gateway: SoakGateway): Promise<void> {
  for (let i = 0; i < 200; i++) {
    using client = await connect(gateway);
    await client.send(request("GET /warm"));
    await client.response();
  }
}

interface Flow {
  readonly source: Peer;
  readonly sink: Peer;
}

/** Pours from source to a sink that stalls first; expects the source to be stopped and memory to stay flat. */
async function expectFlat(
  gateway: SoakGateway,
  { source, sink }: Flow,
  block: Uint8Array | string = BLOCK,
): Promise<void> {
  const before = await gateway.rssBytes();
  const peak = watchPeak(gateway);
  sink.pause();
  sink.discard();
  const pouring = pour(source, block, Math.ceil(TOTAL_BYTES / block.length));
  await Bun.sleep(STALL_MS);
  const takenWhileStalled = pouring.sent();
  sink.resume();
  await Promise.all([pouring.done, sink.until(() => sink.receivedBytes >= TOTAL_BYTES, "all bytes", 120_000)]);
  const growth = (await peak.stop()) - before;
  console.log(
    `grew by ${(growth / MIB).toFixed(1)} MiB; the source was stopped after ${(takenWhileStalled / MIB).toFixed(0)} MiB`,
  );
  expect(takenWhileStalled).toBeLessThan(64 * MIB);
  expect(growth).toBeLessThanOrEqual(GROWTH_LIMIT_BYTES);
}

async function serve(connection: UpstreamConnection): Promise<void> {
  for (;;) {
    const { target } = await connection.head(600_000);
    if (target !== "/warm") return;
    await connection.request();
    await connection.send(ok());
  }
}

async function started() {
  const upstream = startUpstream(serve);
  const gateway = await startSoakGateway(catchAll(upstream.url), { limits: { idleTimeout: "5m" } });
  await warm(gateway);
  const client = await connect(gateway);
  const serving = async (bytes: string): Promise<UpstreamConnection> => {
    await client.send(bytes);
    const taken = () =>
      upstream.connections.find(({ peer }) => peer.received.length > 0 && !peer.text.startsWith("GET /warm"));
    const deadlineAt = performance.now() + 5000;
    while (taken() === undefined && performance.now() < deadlineAt) await Bun.sleep(5);
    const connection = taken();
    if (connection === undefined) throw new Error("the request did not reach the service");
    return connection;
  };
  const dispose = async () => {
    client.peer.reset();
    await gateway[Symbol.asyncDispose]();
    await upstream.close();
  };
  return { gateway, client, serving, [Symbol.asyncDispose]: dispose };
}

const CHUNK = `100000\r\n${"x".repeat(MIB)}\r\n`;

describe("500 MB with a stalled peer", () => {
  test("download of known length", async () => {
    await using soak = await started();
    const { peer } = await soak.serving(get());
    await peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${TOTAL_BYTES}\r\n\r\n`);
    await expectFlat(soak.gateway, { source: peer, sink: soak.client.peer });
  });

  test("download in chunks", async () => {
    await using soak = await started();
    const { peer } = await soak.serving(get());
    await peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    await expectFlat(soak.gateway, { source: peer, sink: soak.client.peer }, CHUNK);
  });

  test("upload of known length", async () => {
    await using soak = await started();
    const { peer } = await soak.serving(request("POST /r", `Content-Length: ${TOTAL_BYTES}`));
    await expectFlat(soak.gateway, { source: soak.client.peer, sink: peer });
  });

  test("upload in chunks", async () => {
    await using soak = await started();
    const { peer } = await soak.serving(request("POST /r", "Transfer-Encoding: chunked"));
    await expectFlat(soak.gateway, { source: soak.client.peer, sink: peer }, CHUNK);
  });

  test("a tunnel, towards the service and towards the client", async () => {
    await using soak = await started();
    const service = await soak.serving(handshake());
    await service.send(SWITCHING);
    await soak.client.response();
    await expectFlat(soak.gateway, { source: soak.client.peer, sink: service.peer });
    await expectFlat(soak.gateway, { source: service.peer, sink: soak.client.peer });
  });
});
