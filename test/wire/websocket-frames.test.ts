import { describe, expect, test } from "bun:test";
import { FrameWalker, goingAwayFrame } from "../../src/wire/websocket-frames.ts";
import { WebSocketParting } from "../../src/wire/websocket-parting.ts";

interface FrameParts {
  readonly opcode?: number;
  readonly isFinal?: boolean;
  readonly isMasked?: boolean;
  readonly length?: number;
}

const TEXT = 1;
const CONTINUATION = 0;
const CLOSE = 8;
const PING = 9;

function frame({ opcode = TEXT, isFinal = true, isMasked = false, length = 5 }: FrameParts = {}): Buffer {
  const mask = isMasked ? 0x80 : 0;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = mask | (head.length === 2 ? length : head.length === 4 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0, 7), Buffer.alloc(length, opcode + 0x60)]);
}

/** Bytes as they leave towards one side. */
class Sent {
  readonly pieces: Buffer[] = [];

  bytes(bytes: Uint8Array): void {
    this.pieces.push(Buffer.from(bytes));
  }

  get all(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

function parting() {
  const client = new Sent();
  const server = new Sent();
  return { client, server, parting: new WebSocketParting(client, server) };
}

describe("walking over frames", () => {
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000];

  test.each(lengths)("of %d bytes ends between messages, masked or not, whole or byte by byte", (length) => {
    for (const isMasked of [false, true]) {
      const one = frame({ length, isMasked });
      const whole = new FrameWalker();
      expect([whole.walk(one, 0, false), whole.isBetween]).toEqual([one.length, true]);
      const piecewise = new FrameWalker();
      const places = new Set<number>();
      for (let at = 0; at < one.length; at++) {
        piecewise.walk(one.subarray(at, at + 1), 0, false);
        if (piecewise.isBetween) places.add(at);
      }
      expect([...places]).toEqual([one.length - 1]);
    }
  });

  test("stops behind the first whole message, however many follow", () => {
    const bytes = Buffer.concat([frame({ length: 300 }), frame(), frame()]);
    expect(new FrameWalker().walk(bytes, 0, true)).toBe(304);
  });

  test("holds a message of several frames for one, with a ping between them", () => {
    const walker = new FrameWalker();
    const pieces = [
      frame({ isFinal: false }),
      frame({ opcode: PING }),
      frame({ opcode: CONTINUATION, isFinal: false }),
      frame({ opcode: CONTINUATION }),
    ];
    const states = pieces.map((piece) => {
      walker.walk(piece, 0, false);
      return walker.isBetween;
    });
    expect(states).toEqual([false, false, false, true]);
  });

  test("sees a close frame when it is whole", () => {
    const walker = new FrameWalker();
    const close = frame({ opcode: CLOSE, length: 2, isMasked: true });
    walker.walk(close.subarray(0, 7), 0, false);
    expect([walker.isClosing, walker.hasClosed]).toEqual([true, false]);
    walker.walk(close.subarray(7), 0, false);
    expect(walker.hasClosed).toBe(true);
  });
});

describe("parting", () => {
  const plain = goingAwayFrame(false);

  test("tells the client 1001 at once between messages, and passes on what it still sends", () => {
    const { parting: ending, client, server } = parting();
    ending.fromServer(frame());
    ending.begin();
    expect(client.all.equals(Buffer.concat([frame(), plain]))).toBe(true);
    expect([plain[0], plain.length - 2, Buffer.from(plain).readUInt16BE(2)]).toEqual([0x88, plain[1] ?? 0, 1001]);
    ending.fromClient(frame({ isMasked: true }));
    expect(server.all.equals(frame({ isMasked: true }))).toBe(true);
  });

  test("lets a message under way come whole first, and nothing after it", () => {
    const { parting: ending, client } = parting();
    const long = frame({ length: 1000 });
    ending.fromServer(long.subarray(0, 500));
    ending.begin();
    ending.fromServer(Buffer.concat([long.subarray(500), frame()]));
    ending.fromServer(frame());
    expect(client.all.equals(Buffer.concat([long, plain]))).toBe(true);
  });

  test("lets a message of several frames come whole first", () => {
    const { parting: ending, client } = parting();
    const [first, last] = [frame({ isFinal: false }), frame({ opcode: CONTINUATION })];
    ending.fromServer(first);
    ending.begin();
    expect(client.all.equals(first)).toBe(true);
    ending.fromServer(last);
    expect(client.all.equals(Buffer.concat([first, last, plain]))).toBe(true);
  });

  test("says nothing more to a client whose server has closed by itself", () => {
    const { parting: ending, client } = parting();
    const close = frame({ opcode: CLOSE, length: 2 });
    ending.fromServer(close);
    ending.begin();
    expect(client.all.equals(close)).toBe(true);
  });

  test("is over when both have closed: the client's close reaches the server, the server's answer nobody", () => {
    const { parting: ending, client, server } = parting();
    ending.begin();
    const answer = frame({ opcode: CLOSE, length: 2, isMasked: true });
    ending.fromClient(answer);
    expect([server.all.equals(answer), ending.isOver]).toEqual([true, false]);
    ending.fromServer(frame({ opcode: CLOSE, length: 2 }));
    expect([client.all.equals(plain), ending.isOver]).toEqual([true, true]);
  });

  test("tells the server, masked, for a client that does not answer", () => {
    const { parting: ending, server } = parting();
    ending.begin();
    ending.insist();
    const { all } = server;
    const key = all.subarray(2, 6);
    const payload = all.subarray(6).map((byte, at) => byte ^ (key[at % 4] ?? 0));
    expect([all[0], (all[1] ?? 0) & 0x80, Buffer.from(payload).readUInt16BE(0)]).toEqual([0x88, 0x80, 1001]);
    ending.insist();
    ending.fromClient(frame({ isMasked: true }));
    expect(server.all.length).toBe(all.length);
  });
});
