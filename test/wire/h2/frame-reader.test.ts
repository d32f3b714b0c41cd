import { describe, expect, test } from "bun:test";
import { type FrameHandler, FrameReader } from "../../../src/wire/h2/frame-reader.ts";
import { SessionError } from "../../../src/wire/h2/session-error.ts";
import { frame } from "../../support/h2-upstream.ts";
import { CODE, FLAG } from "./frame-client.ts";

/** Notes what it is told, DATA joined. */
class Notes implements FrameHandler {
  readonly lines: string[] = [];
  readonly reader = new FrameReader(this);
  /** Reads no more after so many frames. */
  pausesAfter = Number.POSITIVE_INFINITY;
  #data = "";

  frameBegan(): void {
    const { type, flags, streamId, length } = this.reader;
    this.lines.push(`${type}/${flags} on ${streamId}: ${length}`);
    if (--this.pausesAfter === 0) this.reader.pause();
  }

  payloadCame(bytes: Buffer, from: number, to: number): void {
    this.lines.push(bytes.toString("latin1", from, to));
  }

  dataCame(bytes: Buffer, from: number, to: number): void {
    expect(to).toBeGreaterThan(from);
    this.#data += bytes.toString("latin1", from, to);
  }

  dataEnded(): void {
    this.lines.push(`data ${this.#data}`);
    this.#data = "";
  }
}

const BYTES = Buffer.concat([
  frame(0, 0, 1, Buffer.from("hello")),
  frame(6, 1, 0, Buffer.from("12345678")),
  frame(0, FLAG.padded | 1, 0x7fff_ffff, Buffer.concat([Buffer.from([3]), Buffer.from("world"), Buffer.alloc(3)])),
  frame(0, FLAG.padded, 1, Buffer.from([0])),
  frame(0, 1, 1),
  frame(4, 0, 0),
  frame(99, 7, 3, Buffer.from("x")),
]);

const EXPECTED = [
  "0/0 on 1: 5",
  "data hello",
  "6/1 on 0: 8",
  "12345678",
  "0/9 on 2147483647: 9",
  "data world",
  "0/8 on 1: 1",
  "data ",
  "0/1 on 1: 0",
  "data ",
  "4/0 on 0: 0",
  "",
  "99/7 on 3: 1",
  "x",
];

describe("a reader of frames", () => {
  test("tells the same wherever the bytes are cut", () => {
    for (let first = 0; first <= BYTES.length; first++) {
      for (let second = first; second <= BYTES.length; second += 7) {
        const notes = new Notes();
        notes.reader.feed(BYTES.subarray(0, first));
        notes.reader.feed(BYTES.subarray(first, second));
        notes.reader.feed(BYTES.subarray(second));
        expect(notes.lines).toEqual(EXPECTED);
      }
    }
  });

  test("tells the same octet by octet, and when it is in the middle of what must come whole", () => {
    const notes = new Notes();
    let partial = 0;
    for (const octet of BYTES) {
      notes.reader.feed(Buffer.from([octet]));
      if (notes.reader.isInFrame) partial++;
    }
    expect(notes.lines).toEqual(EXPECTED);
    // Eight octets of each frame's head, and the payloads of PING and of the unknown frame before their last octet.
    expect(partial).toBe(7 * 8 + 8 + 1);
    expect(notes.reader.isInFrame).toBe(false);
  });

  test("takes no more than the frame under way when it is told to pause", () => {
    const notes = new Notes();
    notes.pausesAfter = 2;
    expect(notes.reader.feed(BYTES)).toBe(14 + 17);
    expect(notes.reader.feed(BYTES.subarray(31))).toBe(BYTES.length - 31);
    expect(notes.lines).toEqual(EXPECTED);
  });

  test("takes everything and tells nothing once it is stopped", () => {
    const notes = new Notes();
    notes.reader.stop();
    expect(notes.reader.feed(BYTES)).toBe(BYTES.length);
    expect(notes.lines).toEqual([]);
  });

  test("ignores the reserved bit of a stream's id", () => {
    const notes = new Notes();
    const bytes = frame(4, 0, 5);
    bytes[5] = 0x80;
    notes.reader.feed(bytes);
    expect(notes.lines).toEqual(["4/0 on 5: 0", ""]);
  });

  test.each([
    ["over 16384 bytes", frame(0, 0, 1, Buffer.alloc(16_385)), CODE.frame_size],
    ["padded without a length", frame(0, FLAG.padded, 1), CODE.frame_size],
    ["with more padding than payload", frame(0, FLAG.padded, 1, Buffer.from([2, 0])), CODE.protocol],
  ])("throws for a frame %s as soon as that is certain", (_what, bytes, code) => {
    const feed = () => new Notes().reader.feed(bytes.subarray(0, 10));
    expect(feed).toThrow(SessionError);
    expect(feed).toThrow(expect.objectContaining({ code }));
  });
});
