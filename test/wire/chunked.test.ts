import { describe, expect, test } from "bun:test";
import { ChunkedDecoder } from "../../src/wire/chunked.ts";
import { seededRandom } from "../support/chance.ts";
import { codeOf } from "./parts.ts";

const TRAILER_BYTES = 1024;

interface Decoded {
  readonly body: string;
  readonly trailers: readonly string[] | null;
  readonly isDone: boolean;
  /** What followed the coding. */
  readonly rest: string;
}

/** Cuts a text where the numbers say. */
function cut(text: string, offsets: readonly number[]): readonly string[] {
  const bounds = [0, ...offsets, text.length];
  return bounds.slice(1).map((end, at) => text.slice(bounds[at] ?? 0, end));
}

function bytewise(text: string): readonly string[] {
  return [...text];
}

/** Decodes pieces; what follows the end is kept. The pieces are copies: decoding works in place. */
function decode(pieces: readonly string[], trailerBytes = TRAILER_BYTES): Decoded {
  const decoder = new ChunkedDecoder(trailerBytes);
  let body = "";
  let rest = "";
  for (const piece of pieces) {
    if (decoder.isDone) {
      rest += piece;
      continue;
    }
    body += Buffer.from(decoder.decode(Buffer.from(piece, "latin1"))).toString("latin1");
    rest += piece.slice(decoder.consumed);
  }
  return { body, trailers: decoder.trailers?.lines ?? null, isDone: decoder.isDone, rest };
}

function randomCuts(length: number, random: () => number): readonly number[] {
  const count = Math.floor(random() * Math.min(length, 12));
  return Array.from({ length: count }, () => Math.floor(random() * (length + 1))).sort((a, b) => a - b);
}

interface Whole {
  readonly text: string;
  readonly body: string;
  readonly trailers?: readonly string[];
  readonly rest?: string;
}

const big = "x".repeat(70_000);
const WHOLE: Readonly<Record<string, Whole>> = {
  "no chunk but the last": { text: "0\r\n\r\n", body: "" },
  "one chunk": { text: "5\r\nhello\r\n0\r\n\r\n", body: "hello" },
  "several chunks": { text: "5\r\nhello\r\n1\r\n \r\n6\r\nworld!\r\n0\r\n\r\n", body: "hello world!" },
  "sizes of either case": { text: `a\r\n0123456789\r\nA\r\n9876543210\r\n0\r\n\r\n`, body: "01234567899876543210" },
  "leading zeros": { text: "0005\r\nhello\r\n000\r\n\r\n", body: "hello" },
  "an extension": { text: "5;a=b\r\nhello\r\n0;last\r\n\r\n", body: "hello" },
  "a quoted extension": { text: '5;a="b;\t c"\r\nhello\r\n0\r\n\r\n', body: "hello" },
  "data that looks like framing": { text: "7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n", body: "0\r\n\r\n0\r" },
  "octets of every value": {
    text: `100\r\n${String.fromCharCode(...Array(256).keys())}\r\n0\r\n\r\n`,
    body: String.fromCharCode(...Array(256).keys()),
  },
  "one trailer": { text: "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", body: "a", trailers: ["X-Sum: 1"] },
  "trailers in order and case, twice of a name": {
    text: "0\r\nX-B: 1\r\nx-a:2 \r\nX-B: 3\r\nEmpty:\r\n\r\n",
    body: "",
    trailers: ["X-B: 1", "x-a:2 ", "X-B: 3", "Empty:"],
  },
  "trailers with colons and octets over 127": {
    text: "0\r\nX-T: a:b \xe9\r\n\r\n",
    body: "",
    trailers: ["X-T: a:b \xe9"],
  },
  "only trailers that may not count": { text: "0\r\nContent-Length: 5\r\nHost: a\r\n\r\n", body: "" },
  "trailers in which a client speaks as a proxy would": {
    text: "0\r\nX-Forwarded-For: 9.9.9.9\r\nx_forwarded_client_cert: Hash=a\r\nX-Real-IP: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX-Request-Id: a\r\nX-A: 1\r\n\r\n",
    body: "",
    trailers: ["X-A: 1"],
  },
  "a trailer beside one that may not count": {
    text: "0\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nSet-Cookie: a=b\r\n\r\n",
    body: "",
    trailers: ["X-A: 1"],
  },
  "a pipelined request behind it": {
    text: "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
    body: "a",
    rest: "GET / HTTP/1.1\r\n",
  },
  "a request behind its trailers": {
    text: "0\r\nX-A: 1\r\n\r\n0\r\n\r\n",
    body: "",
    trailers: ["X-A: 1"],
    rest: "0\r\n\r\n",
  },
  "a large chunk": { text: `${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`, body: big },
};

describe("a chunked body with", () => {
  for (const [name, { text, body, trailers = null, rest = "" }] of Object.entries(WHOLE)) {
    const expected: Decoded = { body, trailers, isDone: true, rest };

    test(`${name} is decoded whole, byte by byte and cut at random alike`, () => {
      const random = seededRandom(7);
      expect(decode([text])).toEqual(expected);
      expect(decode(bytewise(text))).toEqual(expected);
      for (let round = 0; round < 200; round++) {
        const offsets = randomCuts(text.length, random);
        const result = decode(cut(text, offsets));
        if (!Bun.deepEquals(result, expected)) expect({ offsets, ...result }).toEqual({ offsets, ...expected });
      }
    });
  }
});

test("random bodies in random chunks come out as they went in, however they are cut", () => {
  const random = seededRandom(2026);
  for (let round = 0; round < 300; round++) {
    const chunks = Array.from({ length: Math.floor(random() * 8) }, () =>
      String.fromCharCode(...Array.from({ length: 1 + Math.floor(random() * 40) }, () => Math.floor(random() * 256))),
    );
    const trailers = Array.from(
      { length: Math.floor(random() * 3) },
      (_, at) => `X-T${at}: ${Math.floor(random() * 1e6)}`,
    );
    const coded = chunks.map((chunk) => `${chunk.length.toString(16)}${random() < 0.3 ? ";e=1" : ""}\r\n${chunk}\r\n`);
    const text = `${coded.join("")}0\r\n${trailers.map((line) => `${line}\r\n`).join("")}\r\n`;
    const result = decode(cut(text, randomCuts(text.length, random)));
    expect(result).toEqual({
      body: chunks.join(""),
      trailers: trailers.length === 0 ? null : trailers,
      isDone: true,
      rest: "",
    });
  }
});

test("a body that is not whole is not done", () => {
  const text = "5\r\nhello\r\n0\r\nX-A: 1\r\n\r\n";
  for (let length = 0; length < text.length; length++) {
    const decoder = new ChunkedDecoder(TRAILER_BYTES);
    decoder.decode(Buffer.from(text.slice(0, length), "latin1"));
    expect(decoder.isDone).toBe(false);
    expect(decoder.consumed).toBe(length);
  }
});

test("payload comes as a view on the memory that was given", () => {
  const bytes = Buffer.from("3\r\nabc\r\n2\r\nde\r\n");
  const payload = new ChunkedDecoder(TRAILER_BYTES).decode(bytes);
  expect(payload.buffer).toBe(bytes.buffer);
  expect(Buffer.from(payload).toString()).toBe("abcde");
});

/** Valid bytes, then the first one that makes the whole impossible. */
const MALFORMED: readonly (readonly [name: string, valid: string, wrong: string])[] = [
  ["a size that is no number", "", "g"],
  ["a size with a sign", "", "+"],
  ["a negative size", "", "-"],
  ["a size with 0x", "0", "x"],
  ["white space before a size", "", " "],
  ["white space behind a size", "5", " "],
  ["an empty size line", "", "\r"],
  ["a size line of an extension only", "", ";"],
  ["a size line ended by LF alone", "5", "\n"],
  ["CR without LF behind a size", "5\r", "h"],
  ["CR twice behind a size", "5\r", "\r"],
  ["a size of 13 digits", "1234567890ab", "c"],
  ["a size of 13 digits behind zeros", "0001234567890ab", "c"],
  ["a size line of more than 1,024 zeros", "0".repeat(1024), "0"],
  ["LF in an extension", "5;a", "\n"],
  ["NUL in an extension", "5;a", "\0"],
  ["DEL in an extension", "5;a", "\x7f"],
  ["an extension of over 1,024 bytes", `5;${"a".repeat(1023)}`, "a"],
  ["CR without LF behind an extension", "5;a\r", "b"],
  ["a chunk that is longer than its size", "5\r\nhello", "!"],
  ["a chunk ended by LF alone", "5\r\nhello", "\n"],
  ["CR without LF behind a chunk", "5\r\nhello\r", "0"],
  ["two empty lines behind a chunk", "1\r\na\r\n", "\r"],
  ["CR without LF behind the last chunk", "0\r\n\r", "X"],
  ["a trailer that begins with a space", "0\r\n", " "],
  ["a trailer that begins with a tab", "0\r\n", "\t"],
  ["a trailer without a name", "0\r\n", ":"],
  ["a space within a trailer's name", "0\r\nX-A", " "],
  ["a trailer line without a colon", "0\r\nX-A\r", "\n"],
  ["a control character in a trailer", "0\r\nX-A: ", "\x01"],
  ["NUL in a trailer", "0\r\nX-A: a", "\0"],
  ["LF alone in a trailer", "0\r\nX-A: a", "\n"],
  ["CR alone in a trailer", "0\r\nX-A: a\r", "b"],
  ["a folded trailer", "0\r\nX-A: a\r\n", " "],
  ["an LF behind the last chunk", "0\r\n", "\n"],
  ["a second trailer with a space in its name", "0\r\nX-A: a\r\nX-B", " "],
];

describe("a chunked body is refused as soon as it is certain for", () => {
  for (const [name, valid, wrong] of MALFORMED) {
    test(name, () => {
      expect(codeOf(() => decode([valid]))).toBeNull();
      expect(codeOf(() => decode([valid + wrong]))).toBe("bad_request");
      const decoder = new ChunkedDecoder(TRAILER_BYTES);
      for (const byte of bytewise(valid)) decoder.decode(Buffer.from(byte, "latin1"));
      expect(codeOf(() => decoder.decode(Buffer.from(wrong, "latin1")))).toBe("bad_request");
    });
  }
});

test("a malformed body is refused at every way of cutting it", () => {
  for (const [name, valid, wrong] of MALFORMED) {
    const text = `1\r\nz\r\n${valid}${wrong}`;
    for (let at = 1; at < text.length; at++) {
      const code = codeOf(() => decode([text.slice(0, at), text.slice(at)]));
      if (code !== "bad_request") throw new Error(`${name}, cut at ${at}: ${code}`);
    }
  }
  expect(MALFORMED.length).toBeGreaterThan(30);
});

describe("the bound on trailers", () => {
  const line = "X-A: 1\r\n";
  const section = `${line.repeat(4)}\r\n`;

  test("lets a section of exactly that size pass", () => {
    expect(decode([`0\r\n${section}`], section.length).isDone).toBe(true);
    expect(decode(bytewise(`0\r\n${section}`), section.length).isDone).toBe(true);
  });

  test("refuses one byte more, before the section has ended", () => {
    const open = `0\r\n${line.repeat(4)}`;
    for (const pieces of [[`${open}X`], bytewise(`${open}X`)])
      expect(codeOf(() => decode(pieces, open.length - 3))).toBe("headers_too_large");
  });

  test("refuses more than 100 fields", () => {
    const many = (count: number) => `0\r\n${"a:\r\n".repeat(count)}\r\n`;
    expect(decode([many(100)]).trailers).toHaveLength(100);
    expect(codeOf(() => decode([many(101)]))).toBe("headers_too_large");
  });
});

test("the largest size is 2^48 - 1", () => {
  const decoder = new ChunkedDecoder(TRAILER_BYTES);
  expect(Buffer.from(decoder.decode(Buffer.from("ffffffffffff\r\nabc"))).toString()).toBe("abc");
  expect(decoder.isDone).toBe(false);
});
