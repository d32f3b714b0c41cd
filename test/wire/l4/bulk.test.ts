import { expect, test } from "bun:test";
import type { Passage } from "../../../src/wire/l4/passage.ts";
import { eventually } from "../../support/load.ts";
import { BulkPeer, bulkHandlers } from "./bulk.ts";
import { startPassthrough } from "./support.ts";

const MEBIBYTE = 1024 * 1024;
const TOTAL = 100 * MEBIBYTE;
/** What buffers of the kernel and of both processes may hold on the way. */
const HELD = 24 * MEBIBYTE;

/** True when a value is what it was at the last question. */
function settled(value: () => number): () => boolean {
  let before = Number.NaN;
  return () => {
    const isSame = value() === before;
    before = value();
    return isSame;
  };
}

test("100 MiB each way at once arrive whole, and a reader that stops holds the sender back", async () => {
  const down = new BulkPeer(TOTAL);
  const up = new BulkPeer(TOTAL);
  using server = Bun.listen<BulkPeer>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      ...bulkHandlers,
      open(socket) {
        socket.data = up;
        up.socket = socket;
        socket.pause();
        up.sender.pump(socket);
      },
    },
  });
  await using l4 = startPassthrough({ upstreamPort: server.port });
  await Bun.connect<BulkPeer>({
    hostname: "127.0.0.1",
    port: l4.port,
    allowHalfOpen: true,
    socket: {
      ...bulkHandlers,
      open(socket) {
        socket.data = down;
        down.socket = socket;
        socket.pause();
        down.sender.pump(socket);
      },
    },
  });
  const [connection] = l4.connections;
  await eventually(() => connection?.isPaused === true, "the client to be held back");
  await eventually(
    settled(() => down.sender.sentBytes + up.sender.sentBytes),
    "both senders to stand still",
  );
  expect(down.sender.sentBytes).toBeLessThan(HELD);
  expect(up.sender.sentBytes).toBeLessThan(HELD);
  up.socket?.resume();
  await eventually(() => up.receiver.receivedBytes === TOTAL, "the client's bytes", 20_000);
  // The other direction still stands.
  expect(down.receiver.receivedBytes).toBe(0);
  expect(up.sender.sentBytes).toBeLessThan(HELD);
  down.socket?.resume();
  await Promise.all([down.ended.promise, up.ended.promise]);
  expect([down.receiver.receivedBytes, up.receiver.receivedBytes]).toEqual([TOTAL, TOTAL]);
  expect([down.receiver.isIntact, up.receiver.isIntact]).toEqual([true, true]);
  const { bytesReceived, bytesSent, error }: Passage = await l4.ended();
  expect({ bytesReceived, bytesSent, error }).toEqual({ bytesReceived: TOTAL, bytesSent: TOTAL, error: null });
});
