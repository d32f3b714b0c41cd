import { describe, expect, test } from "bun:test";
import { parseFile } from "../../src/config/document.ts";
import type { Path } from "../../src/config/path.ts";

const fill = (text: string) => ({ text, faults: [], isWhole: false });
const parse = (text: string) => parseFile({ file: "a.yaml", text, fill });

const TEXT = `services:
  "a b": { x: 1 }
routes:
  - name: one
    list: [10, 20,
      30]
  - name: two
    empty:
---
second: true
`;

describe("a place", () => {
  const rows: readonly (readonly [Path, "key" | "value", number, number, string])[] = [
    [[], "value", 1, 1, ""],
    [["services"], "key", 1, 1, "services"],
    [["services", "a b", "x"], "value", 2, 15, 'services["a b"].x'],
    [["services", "a b", "x"], "key", 2, 12, 'services["a b"].x'],
    [["routes", 0], "value", 4, 5, "routes[0]"],
    [["routes", 0, "list", 2], "value", 6, 7, "routes[0].list[2]"],
    [["routes", 1, "name"], "value", 7, 11, "routes[1].name"],
    [["routes", 1, "empty"], "value", 8, 5, "routes[1].empty"],
    [["routes", 1, "missing", "deeper"], "value", 7, 5, "routes[1].missing.deeper"],
    [["routes", 9], "value", 4, 3, "routes[9]"],
  ];
  for (const [path, at, line, column, field] of rows) {
    test(`of the ${at} of ${field || "the top"} is ${line}:${column}`, () => {
      expect(parse(TEXT).documents[0]?.place(path, at)).toEqual({ file: "a.yaml", line, column, field });
    });
  }

  test("counts lines from the top of the file in a later document", () => {
    expect(parse(TEXT).documents[1]?.place(["second"])).toMatchObject({ line: 10, column: 9 });
  });

  test("of what an alias or a merge key brings is where it was written", () => {
    const [document] = parse("base: &b { x: 1 }\nown: *b\nmerged:\n  <<: *b\n  y: 2\n").documents;
    expect(document?.place(["own", "x"])).toMatchObject({ line: 1, column: 15 });
    expect(document?.place(["merged", "x"])).toMatchObject({ line: 1, column: 15 });
    expect(document?.value).toEqual({ base: { x: 1 }, own: { x: 1 }, merged: { x: 1, y: 2 } });
  });
});

describe("a document", () => {
  test("that is empty counts for nothing", () => {
    for (const text of ["", "# only a comment\n", "---\n---\n", "null"]) {
      expect(parse(text)).toEqual({ documents: [], issues: [] });
    }
  });

  test("is read with Windows line ends and a byte order mark", () => {
    const [document] = parse("\ufeffa: 1\r\nb: 2\r\n").documents;
    expect(document?.value).toEqual({ a: 1, b: 2 });
    expect(document?.place(["b"])).toMatchObject({ line: 2, column: 4 });
  });

  test("nested beyond reason is a fault, not a crash", () => {
    for (const open of ["[", "{a: ", "- ", "? "]) {
      const { documents, issues } = parse(open.repeat(20_000));
      expect(documents).toEqual([]);
      expect(issues.length).toBeGreaterThan(0);
      expect(issues.length).toBeLessThanOrEqual(5);
    }
  });

  test("with thousands of aliases of one small map is no bomb", () => {
    const text = `base: &b { x: 1 }\nlist:\n${"  - *b\n".repeat(2000)}`;
    expect(parse(text).issues).toEqual([]);
  });

  test("with 10,000 keys in a map is read, and each is found, in linear time", () => {
    const count = 10_000;
    const text = `map:\n${Array.from({ length: count }, (_, i) => `  key${i}: ${i}\n`).join("")}`;
    const [document] = parse(text).documents;
    const lines = Array.from({ length: count }, (_, i) => document?.place(["map", `key${i}`]).line);
    expect(lines).toEqual(Array.from({ length: count }, (_, i) => i + 2));
  });
});
