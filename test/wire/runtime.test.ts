import { expect, test } from "bun:test";

/** Sends `pieces` one after the other and resolves with the buffers that the receiving side was given. */
async function received(pieces: readonly Buffer[]): Promise<readonly Buffer[]> {
  const kept: Buffer[] = [];
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const done = Promise.withResolvers<void>();
  const count = () => kept.reduce((sum, buffer) => sum + buffer.length, 0);
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(_socket, bytes) {
        kept.push(bytes);
        if (count() === total) done.resolve();
      },
    },
  });
  const waiting = [...pieces];
  let offset = 0;
  const send = (socket: { write(bytes: Buffer, offset: number, length: number): number }) => {
    for (let piece = waiting[0]; piece !== undefined; piece = waiting[0]) {
      offset += Math.max(0, socket.write(piece, offset, piece.length - offset));
      if (offset < piece.length) return;
      waiting.shift();
      offset = 0;
    }
  };
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    socket: { data() {}, open: send, drain: send },
  });
  await done.promise;
  client.end();
  server.stop(true);
  return kept;
}

test("the runtime gives each data event a buffer of its own, which may be kept", async () => {
  const pieces = Array.from({ length: 40 }, (_, at) => Buffer.alloc(256 * 1024, at));
  const kept = await received(pieces);
  expect(Buffer.concat(kept).equals(Buffer.concat(pieces))).toBe(true);
  expect(kept.length).toBeGreaterThan(1);
  expect(new Set(kept.map((buffer) => buffer.buffer)).size).toBe(kept.length);
});
