import { describe, expect, test } from "bun:test";
import { canonicalPath, faultNames, isPlainPath, type PathFault } from "../../src/route/path.ts";
import { PATH_OPTIONS, pathPolicy } from "../../src/route/path-policy.ts";

type Row = readonly [sentence: string, raw: string, path: string, faults?: readonly PathFault[]];

const CLEAN: readonly Row[] = [
  ["a plain path stays as it is", "/a/b-c_d.e~f", "/a/b-c_d.e~f"],
  ["escaped unreserved characters equal their plain form", "/%61%2D%5f%7E%39%2E%41", "/a-_~9.A"],
  ["other escapes are compared in upper case", "/a%3ab%c3%a9", "/a%3Ab%C3%A9"],
  ["raw UTF-8 equals its escapes", Buffer.from("/é").toString("latin1"), "/%C3%A9"],
  ["UTF-8 may be half raw and half escaped", "/\xc3%a9", "/%C3%A9"],
  ["empty segments inside stay", "/a//b/", "/a//b/"],
  ["parameters behind a semicolon stay", "/a;v=1/b;x", "/a;v=1/b;x"],
  ["an escaped percent is decoded once only", "/%252F%252e", "/%252F%252e"],
  ["an escaped space is no control", "/a%20b", "/a%20b"],
  ["dots within a segment are no dot segment", "/a..b/...;x/.well-known/..a/a..", "/a..b/...;x/.well-known/..a/a.."],
  ["an escaped semicolon stays escaped", "/a%3bb", "/a%3Bb"],
  ["the star of OPTIONS stays", "*", "*"],
];

const FAULTY: readonly Row[] = [
  ["a dot segment inside", "/a/../b", "/a/../b", ["dot_segment"]],
  ["a single dot at the end", "/a/.", "/a/.", ["dot_segment"]],
  ["an escaped dot segment", "/a/%2e%2E/b", "/a/../b", ["dot_segment"]],
  ["a half escaped dot segment", "/a/.%2e/b", "/a/../b", ["dot_segment"]],
  ["a dot segment with a parameter", "/a/..;x=1/b", "/a/..;x=1/b", ["dot_segment"]],
  ["a dot segment behind an escaped slash", "/a%2f..%2Fb", "/a%2F..%2Fb", ["dot_segment", "encoded_slash"]],
  ["a dot segment behind a backslash", "/a\\..\\b", "/a\\..\\b", ["dot_segment", "backslash"]],
  ["an escaped slash", "/a%2Fb", "/a%2Fb", ["encoded_slash"]],
  ["an escaped slash in lower case", "/a%2fb", "/a%2Fb", ["encoded_slash"]],
  ["an escaped backslash", "/a%5cb", "/a%5Cb", ["encoded_backslash"]],
  ["a backslash", "/a\\b", "/a\\b", ["backslash"]],
  ["a leading double slash", "//admin", "//admin", ["leading_double_slash"]],
  ["an escaped NUL", "/a%00", "/a%00", ["nul"]],
  ["an escaped control", "/a%0d%0A", "/a%0D%0A", ["control"]],
  ["an escaped DEL", "/a%7f", "/a%7F", ["control"]],
  ["a raw control", "/a\tb", "/a%09b", ["control"]],
  ["an escape that is not hexadecimal", "/a%zz", "/a%25zz", ["malformed_escape"]],
  ["an escape cut short", "/a%4", "/a%254", ["malformed_escape"]],
  ["a lone percent in front of an escape", "/%%32%46", "/%252F", ["malformed_escape"]],
  ["a byte that is not UTF-8", "/%ff", "/%FF", ["not_utf8"]],
  ["a raw byte that is not UTF-8", "/\xe9", "/%E9", ["not_utf8"]],
  ["an overlong slash", "/%c0%af", "/%C0%AF", ["not_utf8"]],
  ["a surrogate", "/%ed%a0%80", "/%ED%A0%80", ["not_utf8"]],
];

describe("canonicalPath", () => {
  for (const [sentence, raw, path] of CLEAN) {
    test(sentence, () => {
      expect(canonicalPath(raw)).toEqual({ path, faults: 0 });
    });
  }
  for (const [sentence, raw, path, faults = []] of FAULTY) {
    test(`${sentence} is a fault`, () => {
      const canonical = canonicalPath(raw);
      expect(canonical.path).toBe(path);
      expect(faultNames(canonical.faults)).toEqual([...faults]);
    });
  }

  test("is its own fixed point, and what is plain is not rewritten", () => {
    for (const [, raw, path] of [...CLEAN, ...FAULTY]) {
      expect(canonicalPath(path).path).toBe(path);
      if (isPlainPath(raw)) expect(raw).toBe(path);
    }
  });
});

describe("pathPolicy", () => {
  test("allows nothing by default", () => {
    expect(pathPolicy({})).toBe(0);
    expect(pathPolicy({ encodedSlash: "refuse" })).toBe(0);
  });

  test("has an option for every fault, which allows just that fault", () => {
    // Object.keys forgets the keys of a constant table.
    const options = Object.keys(PATH_OPTIONS) as (keyof typeof PATH_OPTIONS)[];
    for (const option of options) {
      expect(faultNames(pathPolicy({ [option]: "allow" }))).toEqual([PATH_OPTIONS[option]]);
    }
    expect(options.length).toBe(9);
  });
});
