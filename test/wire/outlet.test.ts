import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { enter, leave } from "../../src/wire/event.ts";
import { Outlet } from "../../src/wire/outlet.ts";
import { connect, type RawClient } from "../support/client.ts";

interface Pair extends AsyncDisposable {
  readonly outlet: Outlet;
  readonly client: RawClient;
  /** How many bytes each write was asked to send. */
  readonly writes: readonly number[];
  /** Waits for the next `drain` of the socket; resolves with what the outlet said to it. */
  drained(): Promise<boolean>;
  readonly socket: Socket<undefined>;
}

/** A connection whose server side is an outlet, and whose client reads. */
async function openPair(): Promise<Pair> {
  const accepted = Promise.withResolvers<Socket<undefined>>();
  let onDrain: (isEmpty: boolean) => void = () => {};
  const server = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open: (socket) => accepted.resolve(socket),
      data() {},
      drain: () => onDrain(outlet.drain()),
    },
  });
  const client = await connect(server);
  const socket = await accepted.promise;
  const writes: number[] = [];
  const write = socket.write.bind(socket);
  // Counts what reaches the kernel; the socket stays the real one.
  Object.defineProperty(socket, "write", {
    value: (bytes: Uint8Array, offset: number, length: number) => {
      writes.push(length);
      return write(bytes, offset, length);
    },
  });
  const outlet = new Outlet(socket);
  return {
    outlet,
    client,
    writes,
    socket,
    drained: () =>
      new Promise((resolve) => {
        onDrain = resolve;
      }),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      server.stop(true);
    },
  };
}

/** Bytes that tell where they stood. */
function numbered(length: number, from = 0): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(from + at, at);
  return bytes;
}

describe("an outlet", () => {
  test("sends what it is given outside of events at once", async () => {
    await using pair = await openPair();
    pair.outlet.text("a");
    pair.outlet.bytes(Buffer.from("b"));
    expect(pair.writes).toEqual([1, 1]);
    expect((await pair.client.peer.take(2)).toString()).toBe("ab");
  });

  test("sends what it is given within an event in one write, nested events included", async () => {
    await using pair = await openPair();
    enter();
    pair.outlet.text("head ");
    enter();
    pair.outlet.bytes(Buffer.from("body "));
    leave();
    pair.outlet.text("end");
    expect(pair.writes).toEqual([]);
    leave();
    expect(pair.writes).toEqual([13]);
    expect((await pair.client.peer.take(13)).toString()).toBe("head body end");
  });

  test("copies what it gathers: the bytes may change after the call", async () => {
    await using pair = await openPair();
    const bytes = Buffer.from("abc");
    enter();
    pair.outlet.bytes(bytes);
    bytes.fill(0);
    leave();
    expect((await pair.client.peer.take(3)).toString()).toBe("abc");
  });

  test("keeps the order when two write in turns within one event", async () => {
    await using first = await openPair();
    await using second = await openPair();
    enter();
    for (let i = 0; i < 10; i++) {
      first.outlet.text(`a${i}`);
      second.outlet.text(`b${i}`);
    }
    leave();
    expect((await first.client.peer.take(20)).toString()).toBe("a0a1a2a3a4a5a6a7a8a9");
    expect((await second.client.peer.take(20)).toString()).toBe("b0b1b2b3b4b5b6b7b8b9");
  });

  test("keeps the order of small pieces and of pieces too large to be gathered", async () => {
    await using pair = await openPair();
    const large = numbered(40_000);
    enter();
    pair.outlet.text("1");
    pair.outlet.bytes(large);
    pair.outlet.text("2");
    pair.outlet.text("t".repeat(70_000));
    pair.outlet.text("3");
    leave();
    const all = await pair.client.peer.take(40_000 + 70_000 + 3);
    expect(all.toString("latin1", 0, 1)).toBe("1");
    expect(all.subarray(1, 40_001).equals(large)).toBe(true);
    expect(all.toString("latin1", 40_001)).toBe(`2${"t".repeat(70_000)}3`);
  });

  test("gathers more than fits in several writes", async () => {
    await using pair = await openPair();
    const pieces = Array.from({ length: 10 }, (_, at) => numbered(20_000, at * 20_000));
    enter();
    for (const piece of pieces) pair.outlet.bytes(piece);
    leave();
    expect(pair.writes).toEqual([60_000, 60_000, 60_000, 20_000]);
    expect((await pair.client.peer.take(200_000)).equals(numbered(200_000))).toBe(true);
  });

  test("writes texts as one octet for each character", async () => {
    await using pair = await openPair();
    pair.outlet.text("\x80\xff");
    pair.outlet.text(`${"x".repeat(70_000)}\xe9`);
    expect([...(await pair.client.peer.take(2))]).toEqual([0x80, 0xff]);
    expect((await pair.client.peer.take(70_001)).at(-1)).toBe(0xe9);
  });
});

describe("towards a peer that does not read, an outlet", () => {
  /** Fills the way to a client that reads nothing, until bytes wait; returns how many there were. */
  function fill({ outlet }: Pair): number {
    let sent = 0;
    while (!outlet.isBlocked) {
      outlet.bytes(numbered(64_000, sent));
      sent += 64_000;
    }
    return sent;
  }

  test("is blocked until everything is taken, and loses or mixes up nothing", async () => {
    await using pair = await openPair();
    pair.client.peer.pause();
    let sent = fill(pair);
    const drained = pair.drained();
    const later = numbered(100_000, sent);
    pair.outlet.bytes(later);
    sent += later.length;
    later.fill(0);
    pair.outlet.text("end");
    expect(pair.outlet.isBlocked).toBe(true);
    pair.client.peer.resume();
    while (!(await drained) && pair.outlet.isBlocked) await pair.drained();
    await pair.client.peer.until(() => pair.client.peer.received.length === sent + 3, "all bytes");
    expect(pair.client.peer.received.subarray(0, sent).equals(numbered(sent))).toBe(true);
    expect(pair.client.peer.received.toString("latin1", sent)).toBe("end");
    expect(pair.outlet.isBlocked).toBe(false);
  });

  test("ends only behind what waits", async () => {
    await using pair = await openPair();
    pair.client.peer.pause();
    const sent = fill(pair);
    pair.outlet.end();
    expect([pair.outlet.isEnded, pair.client.peer.state]).toEqual([true, "open"]);
    pair.client.peer.resume();
    expect(await pair.client.peer.ending()).toBe("ended");
    expect(pair.client.peer.receivedBytes).toBe(sent);
  });
});

test("an outlet ends at once when nothing waits, behind what was gathered, and once", async () => {
  await using pair = await openPair();
  enter();
  pair.outlet.text("last");
  pair.outlet.end();
  pair.outlet.end();
  leave();
  expect(await pair.client.peer.ending()).toBe("ended");
  expect(pair.client.peer.text).toBe("last");
  // Half-closed: the client can still be read from.
  await pair.client.send("still here");
  expect(pair.client.peer.state).toBe("ended");
});

test("an outlet whose socket is closed drops what it is given", async () => {
  await using pair = await openPair();
  pair.socket.terminate();
  pair.outlet.text("lost");
  pair.outlet.bytes(Buffer.alloc(100_000));
  expect(pair.outlet.isBlocked).toBe(false);
  expect(pair.outlet.drain()).toBe(true);
});
