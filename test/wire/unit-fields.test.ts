import { describe, expect, test } from "bun:test";
import { hasBadOctet, listElements, parseFields, parseLength } from "../../src/wire/fields.ts";
import { HeaderList } from "../../src/wire/header-list.ts";
import { codeOf } from "./parts.ts";

function fields(text: string, limit = 100): HeaderList {
  return new HeaderList(parseFields(text, limit));
}

describe("a head's octets", () => {
  const rows: readonly (readonly [what: string, text: string, isBad: boolean])[] = [
    ["plain text", "GET / HTTP/1.1\r\nA: b\tc", false],
    ["octets over 127", "A: \x80\xff", false],
    ["nothing", "", false],
    ["a last CR, whose LF may come", "A: b\r", false],
    ["NUL", "A: \0", true],
    ["an escape", "A: \x1b", true],
    ["DEL", "A: \x7f", true],
    ["a vertical tab", "A:\x0bb", true],
    ["CR alone", "A: b\rc", true],
    ["CR twice", "A: b\r\r\n", true],
    ["LF alone", "A: b\nC: d", true],
    ["LF after CRLF", "A: b\r\n\n", true],
  ];
  test.each(rows)("%s", (_, text, isBad) => {
    expect(hasBadOctet(text)).toBe(isBad);
  });

  test("every octet is judged by RFC 9110 5.5", () => {
    const bad = Array.from({ length: 256 }, (_, code) => code).filter((code) =>
      hasBadOctet(`a${String.fromCharCode(code)}b`),
    );
    const controls = Array.from({ length: 32 }, (_, code) => code).filter((code) => code !== 9);
    expect(bad).toEqual([...controls, 127]);
  });
});

describe("field lines", () => {
  test("are read from where they begin, up to the end of the text", () => {
    const list = fields("Host: a\r\nX-A:1");
    expect([list.names, list.lines]).toEqual([
      ["host", "x-a"],
      ["Host: a", "X-A:1"],
    ]);
  });

  test("may have empty values and colons in them", () => {
    const list = fields("A:\r\nB: c:d\r\nE: \t f \t");
    expect([list.get("a"), list.get("b"), list.get("e")]).toEqual(["", "c:d", "f"]);
  });

  test("are none in an empty text", () => {
    expect(fields("").size).toBe(0);
  });

  const refused: readonly (readonly [what: string, text: string])[] = [
    ["a first line that is folded", " A: b"],
    ["a later line that is folded", "A: b\r\n\tc"],
    ["a line without a colon", "A: b\r\nnothing"],
    ["a line whose colon stands in the next", "A\r\nB: c"],
    ["a line without a name", ": b"],
    ["a space before the colon", "A : b"],
    ["a space within the name", "A b: c"],
    ["a name in quotes", '"A": b'],
    ["an empty line between", "A: b\r\n\r\nC: d"],
  ];
  test.each(refused)("are refused for %s", (_, text) => {
    expect(codeOf(() => fields(text))).toBe("bad_request");
  });

  test("are refused when there are more than the limit", () => {
    const many = (count: number) => Array.from({ length: count }, (_, at) => `A${at}: b`).join("\r\n");
    expect(fields(many(7), 7).size).toBe(7);
    expect(codeOf(() => fields(many(8), 7))).toBe("headers_too_large");
  });
});

describe("a list's elements", () => {
  test.each([
    ["close", ["close"]],
    ["Keep-Alive , X-A", ["keep-alive", "x-a"]],
    [",, a,\t,b ,", ["a", "b"]],
    ["", []],
    [" \t", []],
  ])("of %j are %j", (value, elements) => {
    expect(listElements(value)).toEqual(elements);
  });
});

describe("a length", () => {
  test.each([
    ["0", 0],
    ["42", 42],
    ["007", 7],
    ["999999999999999", 999_999_999_999_999],
    ["1000000000000000", -1],
    ["", -1],
    ["+1", -1],
    ["-1", -1],
    ["1 ", -1],
    ["1,1", -1],
    ["0x1", -1],
    ["1e3", -1],
    ["1.0", -1],
    ["١", -1],
  ])("%j is %d", (text, length) => {
    expect(parseLength(text)).toBe(length);
  });
});
