import { expect, test } from "bun:test";
import { keep } from "../../src/wire/keep.ts";

test("bytes that come one by one are kept as they came, in few pieces", () => {
  const pieces: Uint8Array[] = [];
  const all = Uint8Array.from({ length: 65_536 }, (_, at) => at % 251);
  for (const byte of all) keep(pieces, Uint8Array.of(byte));
  expect(Bun.concatArrayBuffers(pieces, Infinity, true)).toEqual(all);
  expect(pieces.length).toBe(16);
});

test("what is kept is a copy, also of a Buffer", () => {
  const pieces: Uint8Array[] = [];
  const bytes = Buffer.from("he");
  keep(pieces, bytes);
  bytes.fill(0);
  const large = Buffer.alloc(5000, "l");
  keep(pieces, large);
  large.fill(0);
  keep(pieces, Buffer.from("o"));
  expect(pieces.map((piece) => Buffer.from(piece).toString())).toEqual(["he", "l".repeat(5000), "o"]);
});

test("a view on what is kept stays as it is when more comes", () => {
  const pieces: Uint8Array[] = [];
  const views: (Uint8Array | undefined)[] = [];
  for (const text of ["a", "b", "c", "d", "e"]) {
    keep(pieces, Buffer.from(text));
    views.push(pieces.at(-1));
  }
  expect(views.map((view) => Buffer.from(view ?? []).toString())).toEqual(["a", "ab", "abc", "abcd", "abcde"]);
});
