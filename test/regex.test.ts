import { describe, expect, test } from "bun:test";
import { compileRegex } from "../src/regex.ts";
import { seededRandom } from "./support/chance.ts";

const REFUSED: readonly (readonly [source: string, message: string])[] = [
  ["", "a regular expression must not be empty"],
  ["(a", '"(a" is no regular expression in RE2 syntax: missing closing ): `(a`'],
  ["[z-a]", '"[z-a]" is no regular expression in RE2 syntax: invalid character class range: `z-a`'],
  [
    "^/(?!admin)",
    '"^/(?!admin)" is no regular expression in RE2 syntax: invalid or unsupported Perl syntax: `(?!`; look-around is not offered, write what should match instead',
  ],
  [
    "(a)\\1",
    '"(a)\\\\1" is no regular expression in RE2 syntax: invalid escape sequence: `\\1`; back-references are not offered',
  ],
  ["a{5000}", '"a{5000}" is no regular expression in RE2 syntax: invalid repeat count: `{5000}`'],
];

// Each makes a backtracking engine work for seconds or years on the text beside it.
const CATASTROPHIC: readonly (readonly [source: string, text: string])[] = [
  ["^(a+)+$", `${"a".repeat(50_000)}!`],
  ["(a|a)*b", "a".repeat(50_000)],
  ["(x+x+)+y", "x".repeat(50_000)],
  ["^(a|ab)*$", `${"ab".repeat(25_000)}!`],
  ["^[a-z]+[a-z]+[a-z]+[a-z]+!$", "a".repeat(50_000)],
  ["^/.*/.*/.*/x$", "/".repeat(50_000)],
  ["^[.-9]+/[.-9]+/[.-9]+/x$", "/".repeat(50_000)],
  ["(a|b)(a|b)*c", "ab".repeat(25_000)],
];

const REPLACED: readonly (readonly [source: string, text: string, replacement: string, replaced: string])[] = [
  ["^/(v[12])/(\\w+)", "/v1/items/7", "/$2/$1", "/items/v1/7"],
  ["^/(v1|v2)/", "/v2/items", "/$1-$2-$&-$$/", "/v2-$2-/v2/-$/items"],
  ["(?<first>\\w+)-(?P<second>\\w+)", "/a-b/c-d", "$<second>+$<first>", "/b+a/d+c"],
  ["(a)|b", "ab", "[$1]", "[a][]"],
  ["/+", "/a//b", "/", "/a/b"],
  ["x*", "/ab", "-", "-/-a-b-"],
  ["(?i)API", "/api/Api", "v1", "/v1/v1"],
  ["z", "/ab", "-", "/ab"],
];

const PIECES = ["/", "a", "b", "7", ".", "-", "users", "orders", "/v1/", "~", "%2F"];
const SOURCES = [
  "^/v[12]/[^/]+$",
  "^/[a-z]+/\\d+",
  "^/(users|orders)/[^/]*/a$",
  "^/a.*$",
  "^\\w{2}",
  "^/[\\w.-]+/?$",
  "^/[^/]+/b[0-9]*",
  "^[a-z.~-]+",
  "/a",
  "^/(?:a|b)+$",
  "(?i)^/USERS",
];

describe("a regular expression", () => {
  for (const [source, message] of REFUSED) {
    test(`${JSON.stringify(source)} is refused with a reason`, () => {
      expect(() => compileRegex(source)).toThrow(new SyntaxError(message));
    });
  }

  for (const [source, text] of CATASTROPHIC) {
    test(`${source} answers although backtracking would never end`, () => {
      const regex = compileRegex(source);
      expect(regex.test(text)).toBe(false);
      expect(regex.testWhole(text)).toBe(false);
      expect(regex.replace(text, "found")).toBe(text);
    }, 5_000);
  }

  test("is found anywhere by test and takes all by testWhole", () => {
    const regex = compileRegex("en|fr");
    expect(["en", "fr", "french"].map((text) => regex.test(text))).toEqual([true, true, true]);
    expect(["en", "fr", "french"].map((text) => regex.testWhole(text))).toEqual([true, true, false]);
  });

  for (const [source, text, replacement, replaced] of REPLACED) {
    test(`${source} makes ${replaced} of ${text} by ${replacement}`, () => {
      expect(compileRegex(source).replace(text, replacement)).toBe(replaced);
    });
  }

  test("knows RE2's flags", () => {
    expect(compileRegex("(?i)^/shop$").test("/SHOP")).toBe(true);
  });

  test("finds the same whichever engine runs it", () => {
    const random = seededRandom(7);
    for (const source of SOURCES) {
      const regex = compileRegex(source);
      // A group around the source keeps its meaning and always takes the slower engine.
      const slow = compileRegex(`(${source})(?:)`);
      for (let i = 0; i < 500; i++) {
        const text = Array.from({ length: 1 + random() * 6 }, () => PIECES[Math.floor(random() * PIECES.length)]).join(
          "",
        );
        expect([source, text, regex.test(text)]).toEqual([source, text, slow.test(text)]);
        expect([source, text, regex.replace(text, "<$&>")]).toEqual([source, text, slow.replace(text, "<$&>")]);
      }
    }
  });
});
