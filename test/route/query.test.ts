import { describe, expect, test } from "bun:test";
import { queryValue } from "../../src/route/query.ts";

const ROWS: readonly (readonly [sentence: string, target: string, name: string, value: string | null])[] = [
  ["a target without query has no parameter", "/a", "a", null],
  ["an empty query has no parameter", "/a?", "", null],
  ["a parameter has its value", "/?a=1&b=2", "b", "2"],
  ["the first value of a name counts", "/?a=1&a=2", "a", "1"],
  ["a parameter without = is empty", "/?flag&b=2", "flag", ""],
  ["a parameter with = and nothing behind is empty", "/?a=&b=2", "a", ""],
  ["only the first = divides", "/?a=b=c", "a", "b=c"],
  ["names and values are decoded", "/?%61%20b=%C3%A9", "a b", "é"],
  ["a plus is a space", "/?q=a+b", "q", "a b"],
  ["an escaped plus is a plus", "/?q=a%2Bb", "q", "a+b"],
  ["raw UTF-8 is decoded", `/?q=${Buffer.from("é").toString("latin1")}`, "q", "é"],
  ["a malformed escape stays", "/?q=%zz", "q", "%zz"],
  ["names tell case apart", "/?A=1", "a", null],
  ["a question mark may stand in a value", "/?a=?&b=1", "a", "?"],
  ["empty pieces are skipped", "/?&&a=1", "a", "1"],
  ["a name is not found inside a value", "/?x=a=1", "a", null],
];

describe("queryValue", () => {
  for (const [sentence, target, name, value] of ROWS) {
    test(sentence, () => {
      expect(queryValue(target, name)).toBe(value);
    });
  }
});
