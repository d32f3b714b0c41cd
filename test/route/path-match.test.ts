import { describe, expect, test } from "bun:test";
import { pathMatches } from "../../src/route/explain.ts";
import { canonicalPath } from "../../src/route/path.ts";
import { type PathSpec, parsePath, pathText } from "../../src/route/path-match.ts";

type Row = readonly [spec: PathSpec, takes: readonly string[], leaves: readonly string[]];

const ROWS: readonly Row[] = [
  ["/catalog", ["/catalog", "/c%61talog"], ["/catalog/", "/catalog/x", "/Catalog"]],
  ["/catalog/*", ["/catalog", "/catalog/", "/catalog/x", "/catalog//y"], ["/catalogx", "/", "/catalo"]],
  ["/*", ["/", "/a", "/a/b"], []],
  ["/", ["/"], ["/a"]],
  ["/users/:id", ["/users/42", "/users/%C3%A9"], ["/users", "/users/", "/users/42/", "/users/4/2"]],
  ["/users/:id/*", ["/users/42", "/users/42/", "/users/42/x/y"], ["/users", "/users/"]],
  ["/:a/x/:b", ["/1/x/2"], ["/1/y/2", "//x/2"]],
  ["/v1/items:batch", ["/v1/items:batch"], ["/v1/items%3Abatch"]],
  ["/é", ["/%c3%a9"], ["/%E9"]],
  [{ exact: "/a/*" }, ["/a/*"], ["/a/b"]],
  [{ exact: "/:id" }, ["/:id"], ["/42"]],
  [{ prefix: "/a/" }, ["/a", "/a/", "/a/b"], ["/ab"]],
  [{ prefix: "/" }, ["/", "/b"], []],
  [{ regex: "^/v[12]/catalog" }, ["/v1/catalog", "/v2/catalogue"], ["/v3/catalog", "/x/v1/catalog"]],
  [{ regex: "/edit$" }, ["/a/edit"], ["/a/edit/"]],
];

const FAULTS: readonly (readonly [spec: PathSpec, message: string])[] = [
  ["catalog", '"catalog" is no path: it must begin with "/"'],
  ["", '"" is no path: it must begin with "/"'],
  ["catalog/*", '"catalog/*" is no path: it must begin with "/"'],
  [
    "/a/*/b",
    '"/a/*/b" is no path: "*" may stand only as the last segment, as in /catalog/*; for anything else use { regex }',
  ],
  [
    "/a*",
    '"/a*" is no path: "*" may stand only as the last segment, as in /catalog/*; for anything else use { regex }',
  ],
  ["/a?b=1", '"/a?b=1" is no path: it holds a query; use the field query'],
  ["/a#b", '"/a#b" is no path: a fragment never reaches a server'],
  ["/a//b", '"/a//b" is no path: it holds "//"; use { regex } to match empty segments'],
  ["//*", '"//" is no path: it holds "//"; use { regex } to match empty segments'],
  ["/a/../b", '"/a/../b" is no path: it holds a dot segment; use { regex } to match one'],
  [{ prefix: "/a%2fb" }, '"/a%2fb" is no path: it holds an encoded slash (%2F); use { regex } to match one'],
  [{ exact: "/a%zz" }, '"/a%zz" is no path: it holds a malformed percent escape; use { regex } to match one'],
  ["/a\\b", '"/a\\\\b" is no path: it holds a backslash; use { regex } to match one'],
  [{ prefix: "/a/*" }, '"/a/*" is no path: a prefix takes whole segments by itself; write { prefix: /a }'],
  ["/:id/x/:id", '"/:id/x/:id" is no path: the parameter :id stands twice; give each its own name'],
  ["/:", '"/:" is no path: ":" is no parameter; a name is a letter, then letters, digits and _'],
  ["/:a.json", '"/:a.json" is no path: ":a.json" is no parameter; a name is a letter, then letters, digits and _'],
];

describe("a path", () => {
  for (const [spec, takes, leaves] of ROWS) {
    test(`${JSON.stringify(spec)} takes ${takes.join(" ")} and leaves ${leaves.join(" ") || "nothing"}`, () => {
      const match = parsePath(spec);
      expect(takes.filter((raw) => !pathMatches(match, canonicalPath(raw).path))).toEqual([]);
      expect(leaves.filter((raw) => pathMatches(match, canonicalPath(raw).path))).toEqual([]);
    });
  }

  for (const [spec, message] of FAULTS) {
    test(`${JSON.stringify(spec)} is refused with a reason`, () => {
      expect(() => parsePath(spec)).toThrow(new SyntaxError(message));
    });
  }

  test("is shown as a route file would say it", () => {
    const texts = ["/a", "/a/*", "/*", "/a/:id", "/a/:id/*"];
    expect(texts.map((text) => pathText(parsePath(text)))).toEqual(texts);
    expect(pathText(parsePath({ regex: "^/x" }))).toBe("regex ^/x");
  });
});
