import { describe, expect, test } from "bun:test";
import { parseFields } from "../../src/wire/fields.ts";
import { fieldName, HeaderList, headerList, isFieldValue, trimSpace } from "../../src/wire/header-list.ts";

function list(...pairs: readonly (readonly [string, string])[]): HeaderList {
  return headerList(pairs);
}

const mixed = () => list(["Accept", "a"], ["X-One", "1"], ["accept", "b"], ["Host", "h"], ["ACCEPT", "c"]);

describe("a header list", () => {
  test("keeps order, case and duplicates as they stood", () => {
    expect(mixed().lines).toEqual(["Accept: a", "X-One: 1", "accept: b", "Host: h", "ACCEPT: c"]);
    expect(mixed().names).toEqual(["accept", "x-one", "accept", "host", "accept"]);
    expect(mixed().size).toBe(5);
  });

  test("finds names whatever their case", () => {
    const headers = mixed();
    expect(["accept", "Accept", "ACCEPT", "x-one"].map((name) => headers.has(name))).toEqual([true, true, true, true]);
    expect([headers.has("accep"), headers.has("")]).toEqual([false, false]);
  });

  test("tells the first value, all joined, and each by itself", () => {
    const headers = mixed();
    expect([headers.first("aCCept"), headers.get("aCCept"), headers.get("host")]).toEqual(["a", "a, b, c", "h"]);
    expect(headers.values("Accept")).toEqual(["a", "b", "c"]);
    expect([headers.first("none"), headers.get("none"), headers.values("none")]).toEqual([null, null, []]);
  });

  test("takes white space off values, and nothing else", () => {
    const headers = new HeaderList(parseFields("a: \t x y \t\r\nb:\r\nc:\xa0z\xa0\r\nd:x:y", 10));
    expect(["a", "b", "c", "d"].map((name) => headers.get(name))).toEqual(["x y", "", "\xa0z\xa0", "x:y"]);
  });

  test("shares what was parsed until one of two lists is changed", () => {
    const block = parseFields("A: 1\r\nB: 2\r\nC: 3", 10);
    const [first, second] = [new HeaderList(block), new HeaderList(block)];
    first.set("b", "4");
    first.delete("a");
    first.add("D", "5");
    expect([first.block, second.block]).toEqual([null, block]);
    expect(first.textWithout(new Set())).toBe("b: 4\r\nC: 3\r\nD: 5\r\n");
    expect(second.textWithout(new Set(["b"]))).toBe("A: 1\r\nC: 3\r\n");
    expect(second.textWithout(new Set(["a", "c"]))).toBe("B: 2\r\n");
    expect([...second.names, second.get("c")]).toEqual(["a", "b", "c", "3"]);
  });

  test("replaces all fields of a name by one, in the place of the first", () => {
    const headers = mixed();
    headers.set("ACCEPT", "z");
    expect(headers.lines).toEqual(["ACCEPT: z", "X-One: 1", "Host: h"]);
    expect(headers.names).toEqual(["accept", "x-one", "host"]);
  });

  test("appends a field that is set where there is none", () => {
    const headers = mixed();
    headers.set("X-Two", "2");
    expect(headers.lines.at(-1)).toBe("X-Two: 2");
    expect(headers.size).toBe(6);
  });

  test("takes all fields of a name away, and keeps the others in order", () => {
    const headers = mixed();
    headers.delete("Accept");
    headers.delete("none");
    expect([headers.lines, headers.names]).toEqual([
      ["X-One: 1", "Host: h"],
      ["x-one", "host"],
    ]);
  });

  test("shows every field once to a visitor", () => {
    const seen: string[] = [];
    mixed().forEach((name, value) => void seen.push(`${name}=${value}`));
    expect(seen).toEqual(["accept=a", "x-one=1", "accept=b", "host=h", "accept=c"]);
  });

  test("is not changed through its copy", () => {
    const headers = mixed();
    const copy = headers.copy();
    copy.delete("accept");
    copy.add("X-Three", "3");
    expect(headers.lines).toEqual(mixed().lines);
    expect(copy.lines).toEqual(["X-One: 1", "Host: h", "X-Three: 3"]);
  });
});

describe("what would break the wire is refused with a TypeError, and changes nothing:", () => {
  const rows: readonly (readonly [what: string, name: string, value: string])[] = [
    ["an empty name", "", "v"],
    ["a name with a space", "a b", "v"],
    ["a name with a colon", "a:", "v"],
    ["a name with a line end", "a\r\nb", "v"],
    ["a name beyond ASCII", "é", "v"],
    ["a value with CR", "a", "v\rw"],
    ["a value with LF", "a", "v\nw"],
    ["a value with NUL", "a", "\0"],
    ["a value with DEL", "a", "\x7f"],
    ["a value over one octet", "a", "€"],
  ];
  test.each(rows)("%s", (_, name, value) => {
    const headers = list(["a", "1"], ["A", "2"]);
    expect(() => headers.add(name, value)).toThrow(TypeError);
    expect(() => headers.set(name, value)).toThrow(TypeError);
    expect(() => headerList([[name, value]])).toThrow(TypeError);
    expect(headers.lines).toEqual(["a: 1", "A: 2"]);
  });
});

describe("field names and values", () => {
  test.each([
    ["Content-Type", "content-type"],
    ["x", "x"],
    ["!#$%&'*+-.^_`|~09Az", "!#$%&'*+-.^_`|~09az"],
  ])("%s is a name", (raw, name) => {
    expect([fieldName(raw), fieldName(raw)]).toEqual([name, name]);
  });

  test.each(["", " a", "a ", "a\tb", "a(b", "a,b", "a/b", "a=b", 'a"', "ä", "a\0"])("%j is no name", (raw) => {
    expect(fieldName(raw)).toBeNull();
  });

  test("are read alike after thousands of others", () => {
    for (let i = 0; i < 5000; i++) expect(fieldName(`X-Name-${i}`)).toBe(`x-name-${i}`);
    expect([fieldName("X-Name-4999"), fieldName("X Name")]).toEqual(["x-name-4999", null]);
  });

  test.each([
    ["", true],
    ["a\tb ~", true],
    ["\x80\xff", true],
    ["\x1f", false],
    ["\x7f", false],
    ["\u0100", false],
    ["a\r\n b", false],
  ])("%j as a value: %p", (value, isValid) => {
    expect(isFieldValue(value)).toBe(isValid);
  });

  test.each([
    [" \t a b\t ", "a b"],
    ["", ""],
    [" \t ", ""],
    ["\xa0a\x0b", "\xa0a\x0b"],
    ["a", "a"],
  ])("%j without its optional white space is %j", (text, trimmed) => {
    expect(trimSpace(text)).toBe(trimmed);
  });
});
