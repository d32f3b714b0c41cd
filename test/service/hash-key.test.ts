import { describe, expect, test } from "bun:test";
import { hashText } from "../../src/service/hash.ts";
import { exchangeKey } from "../../src/service/hash-key.ts";
import type { HashBy } from "../../src/service/options.ts";
import { exchangeOf } from "../wire/parts.ts";

function keyBy(source: HashBy["source"], name: string, ...lines: readonly string[]): number | undefined {
  const [first = "GET / HTTP/1.1", ...fields] = lines;
  const exchange = exchangeOf({ lines: [first, "Host: Shop.test:8080", ...fields] });
  return exchangeKey({ source, name })(exchange);
}

const GET = "GET / HTTP/1.1";

describe("the key of a request", () => {
  test("by ip is the client's own address", () => {
    expect(keyBy("ip", "")).toBe(hashText("192.0.2.1"));
  });

  test("by host is the name that was asked for, without its port", () => {
    expect(keyBy("host", "")).toBe(hashText("shop.test"));
  });

  test.each([
    ["one field", ["X-User: ana"], "ana"],
    ["several of the name", ["x-user: ana", "X-USER: ben"], "ana, ben"],
    ["no field of the name", ["X-Users: ana"], null],
    ["an empty one", ["X-User:"], null],
  ] as const)("by header, with %s", (_, fields, value) => {
    expect(keyBy("header", "x-user", GET, ...fields)).toBe(value === null ? undefined : hashText(value));
  });

  test.each([
    ["among others", ["Cookie: a=1; session=ana; b=2"], "ana"],
    ["in the second field", ["Cookie: a=1", "Cookie: session=ana"], "ana"],
    ["twice: the first", ["Cookie: session=ana; session=ben"], "ana"],
    ["with = and , in its value", ["Cookie: session=a=n,a=="], "a=n,a=="],
    ["quoted", ['Cookie: session="ana"'], "ana"],
    ["with a name in another case", ["Cookie: Session=ana"], null],
    ["as the end of a longer name", ["Cookie: my-session=ana"], null],
    ["without a value", ["Cookie: session="], null],
    ["without =", ["Cookie: session"], null],
    ["not there", [], null],
  ] as const)("by cookie, %s", (_, fields, value) => {
    expect(keyBy("cookie", "session", GET, ...fields)).toBe(value === null ? undefined : hashText(value));
  });

  test.each([
    ["among others", "/a?x=1&user=ana&y=2", "ana"],
    ["escaped", "/a?user=%61na", "ana"],
    ["twice: the first", "/a?user=ana&user=ben", "ana"],
    ["behind a second ?", "/a?x=?user=ana", null],
    ["without a value", "/a?user=", null],
    ["in the path only", "/user=ana", null],
  ] as const)("by query, %s", (_, target, value) => {
    expect(keyBy("query", "user", `GET ${target} HTTP/1.1`)).toBe(value === null ? undefined : hashText(value));
  });
});

describe("by claim", () => {
  const claims = {
    sub: "ana",
    empty: "",
    level: 3,
    isAdmin: false,
    roles: ["a"],
    none: null,
    org: { id: "acme", unit: { name: "edge" } },
    "org.id": "dotted",
    "https://example.com/tenant": "blue",
  };

  test.each([
    ["a text", "sub", "ana"],
    ["a number", "level", "3"],
    ["a boolean", "isAdmin", "false"],
    ["one within another", "org.unit.name", "edge"],
    ["a name with dots before a path", "org.id", "dotted"],
    ["a name that is a URL", "https://example.com/tenant", "blue"],
    ["none of the name", "tenant", null],
    ["an empty text", "empty", null],
    ["a list", "roles", null],
    ["an entry of a list", "roles.0", null],
    ["a map", "org", null],
    ["null", "none", null],
    ["what stands within a text", "sub.length", null],
    ["what every object has", "constructor", null],
    ["what every object has, within", "org.constructor.name", null],
  ] as const)("%s", (_, name, value) => {
    const exchange = exchangeOf({ lines: [GET, "Host: shop.test"] });
    exchange.claims = claims;
    expect(exchangeKey({ source: "jwt", name })(exchange)).toBe(value === null ? undefined : hashText(value));
  });

  test("there is none without a verified token", () => {
    expect(keyBy("jwt", "sub", GET, "Authorization: Bearer a.b.c")).toBeUndefined();
  });
});
