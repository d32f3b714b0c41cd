import { describe, expect, test } from "bun:test";
import { createIndex } from "../../src/route/index.ts";
import type { RouteRequest } from "../../src/route/match.ts";
import { pathPolicy } from "../../src/route/path-policy.ts";
import type { RouteRule } from "../../src/route/rule.ts";
import { seededRandom } from "../support/chance.ts";
import { match, request, rule, shuffled } from "./support.ts";

function winner(rules: readonly RouteRule<string>[], asked: RouteRequest): string | null {
  return createIndex(rules).find(asked)?.target ?? null;
}

/** The winner whatever the order of the array and of declaration; throws if orders disagree. */
function winnerInAnyOrder(rules: readonly RouteRule<string>[], asked: RouteRequest): string | null {
  const random = seededRandom(rules.length);
  const winners = Array.from({ length: 12 }, () => {
    const mixed = shuffled(rules, random).map((each, order) => ({ ...each, order }));
    return winner(shuffled(mixed, random), asked);
  });
  const [first = null, ...rest] = new Set(winners);
  if (rest.length > 0) throw new Error(`the order of declaration decides: ${[first, ...rest].join(", ")}`);
  return first;
}

function thrown(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return null;
}

type Precedence = readonly [sentence: string, better: RouteRule<string>, worse: RouteRule<string>, asked: RouteRequest];

const FULL = request({
  target: "/shop/items/42?lang=en&page=1",
  headers: [
    ["x-beta", "1"],
    ["x-team", "a"],
  ],
});
const PREFIX = match({ path: "/shop/*" });

const PRECEDENCE: readonly Precedence[] = [
  [
    "an exact host wins over a wildcard with a better path",
    rule({ name: "exact", hostnames: ["shop.example.com"] }),
    rule({ name: "wildcard", hostnames: ["*.example.com"], matches: [match({ path: "/shop/items/42" })] }),
    FULL,
  ],
  [
    "a longer wildcard wins over a shorter one",
    rule({ name: "longer", hostnames: ["*.example.com"] }),
    rule({ name: "shorter", hostnames: ["*.com"], matches: [match({ path: "/shop/items/42" })] }),
    FULL,
  ],
  [
    "a wildcard wins over all hosts",
    rule({ name: "wildcard", hostnames: ["*.com"] }),
    rule({ name: "all", matches: [match({ path: "/shop/items/42" })] }),
    FULL,
  ],
  [
    "an exact path wins over a pattern with more conditions",
    rule({ name: "exact", matches: [match({ path: "/shop/items/42" })] }),
    rule({
      name: "pattern",
      matches: [match({ path: "/shop/items/:id", methods: ["GET"], headers: { "x-beta": "1" } })],
    }),
    FULL,
  ],
  [
    "a pattern wins over a longer prefix",
    rule({ name: "pattern", matches: [match({ path: "/:a/:b/:c" })] }),
    rule({ name: "prefix", matches: [match({ path: "/shop/items/42/*" })] }),
    FULL,
  ],
  [
    "a pattern with more literal characters wins",
    rule({ name: "more", matches: [match({ path: "/:shop/items/:id" })] }),
    rule({ name: "fewer", matches: [match({ path: "/shop/:kind/:id" })] }),
    FULL,
  ],
  [
    "a pattern of the whole path wins over an open one of the same length",
    rule({ name: "whole", matches: [match({ path: "/shop/items/:id" })] }),
    rule({ name: "open", matches: [match({ path: "/shop/items/:id/*", methods: ["GET"] })] }),
    FULL,
  ],
  [
    "a longer prefix wins",
    rule({ name: "longer", matches: [match({ path: "/shop/items/*" })] }),
    rule({ name: "shorter", matches: [match({ path: "/shop/*", methods: ["GET"], headers: { "x-beta": "1" } })] }),
    FULL,
  ],
  [
    "a prefix wins over a regex",
    rule({ name: "prefix", matches: [match({ path: "/*" })] }),
    rule({ name: "regex", matches: [match({ path: { regex: "^/shop/items/42$" }, methods: ["GET"] })] }),
    FULL,
  ],
  [
    "no path at all is the shortest prefix, which wins over a regex",
    rule({ name: "none" }),
    rule({ name: "regex", matches: [match({ path: { regex: "^/shop/items/42$" } })] }),
    FULL,
  ],
  [
    "a method match wins over more headers",
    rule({ name: "method", matches: [match({ path: "/shop/*", methods: ["GET", "HEAD"] })] }),
    rule({ name: "headers", matches: [match({ path: "/shop/*", headers: { "x-beta": "1", "x-team": "a" } })] }),
    FULL,
  ],
  [
    "more headers win over more query parameters",
    rule({ name: "headers", matches: [match({ path: "/shop/*", headers: { "x-beta": "1" } })] }),
    rule({ name: "query", matches: [match({ path: "/shop/*", query: { lang: "en", page: "1" } })] }),
    FULL,
  ],
  [
    "more query parameters win over fewer",
    rule({ name: "two", matches: [match({ path: "/shop/*", query: { lang: "en", page: "1" } })] }),
    rule({ name: "one", matches: [match({ path: "/shop/*", query: { lang: "en" } })] }),
    FULL,
  ],
  [
    "the best of several matches counts",
    rule({
      name: "several",
      matches: [match({ path: "/x" }), match({ path: "/shop/items/42" }), match({ path: "/*" })],
    }),
    rule({ name: "single", matches: [match({ path: "/shop/items/*" })] }),
    FULL,
  ],
];

describe("precedence", () => {
  for (const [sentence, better, worse, asked] of PRECEDENCE) {
    test(`${sentence}, whatever is declared first`, () => {
      expect(winnerInAnyOrder([worse], asked)).toBe(worse.name);
      expect(winnerInAnyOrder([better, worse], asked)).toBe(better.name);
    });
  }

  test("is decided by declaration where all else is equal", () => {
    const rules = ["c", "a", "b"].map((name, order) => rule({ name, order, matches: [PREFIX] }));
    for (let i = 0; i < 6; i++) expect(winner(shuffled(rules, seededRandom(i)), FULL)).toBe("c");
  });

  test("falls back to a less specific match whose conditions hold", () => {
    const rules = [
      rule({ name: "post", matches: [match({ path: "/shop/items/42", methods: ["POST"] })] }),
      rule({ name: "beta", matches: [match({ path: "/shop/items/:id", headers: { "x-beta": "2" } })] }),
      rule({ name: "prefix", matches: [PREFIX] }),
    ];
    expect(winnerInAnyOrder(rules, FULL)).toBe("prefix");
  });

  test("falls back to a less specific host when nothing of the more specific one takes the request", () => {
    const rules = [
      rule({ name: "exact", hostnames: ["shop.example.com"], matches: [match({ path: "/other" })] }),
      rule({ name: "wildcard", hostnames: ["*.example.com"], matches: [match({ path: "/wild/*" })] }),
      rule({ name: "all" }),
    ];
    const targets = ["/other", "/wild/x", "/shop"].map((target) => winnerInAnyOrder(rules, request({ target })));
    expect(targets).toEqual(["exact", "wildcard", "all"]);
  });
});

describe("find", () => {
  const HOSTS: readonly (readonly [host: string, name: string | null])[] = [
    ["a.example.com", "wildcard"],
    ["a.b.example.com", "wildcard"],
    ["example.com", null],
    [".example.com", null],
    ["shop.test", "exact"],
    ["x.shop.test", null],
  ];
  for (const [host, name] of HOSTS) {
    test(`gives host ${host} to ${name ?? "nobody"}`, () => {
      const rules = [
        rule({ name: "wildcard", hostnames: ["*.example.com"] }),
        rule({ name: "exact", hostnames: ["shop.test"] }),
      ];
      expect(winner(rules, request({ host }))).toBe(name);
    });
  }

  test("keeps a rule to its listeners", () => {
    const rules = [rule({ name: "secure", listeners: ["https"], matches: [PREFIX] }), rule({ name: "any" })];
    const find = (listener: string) => winnerInAnyOrder(rules, request({ listener, target: "/shop/x" }));
    expect([find("http"), find("https")]).toEqual(["any", "secure"]);
  });

  test("does not take HEAD for GET", () => {
    const rules = [rule({ name: "get", matches: [match({ methods: ["GET"] })] })];
    expect(winner(rules, request({ method: "HEAD" }))).toBeNull();
    expect(winner(rules, request({ method: "GET" }))).toBe("get");
  });

  test("reads header names in any case and values as a whole", () => {
    const rules = [rule({ name: "lang", matches: [match({ headers: { "x-lang": { regex: "en|fr" } } })] })];
    const find = (value: string) => winner(rules, request({ headers: [["X-Lang", value]] }));
    expect([find("en"), find("fr"), find("french"), find("en, fr")]).toEqual(["lang", "lang", null, null]);
  });

  test("tells present and absent headers and parameters apart", () => {
    const rules = [
      rule({ name: "both", matches: [match({ headers: { a: { present: true } }, query: { b: { present: false } } })] }),
    ];
    expect(winner(rules, request({ headers: [["A", ""]] }))).toBe("both");
    expect(winner(rules, request({ headers: [["A", ""]], target: "/?b" }))).toBeNull();
    expect(winner(rules, request({}))).toBeNull();
  });

  test("matches the canonical path, whatever the client's encoding", () => {
    const rules = [rule({ name: "cafe", matches: [match({ path: "/café/*" })] })];
    const raws = ["/caf%C3%A9/x", "/%63af%c3%a9", Buffer.from("/café").toString("latin1")];
    expect(raws.map((target) => winner(rules, request({ target })))).toEqual(["cafe", "cafe", "cafe"]);
  });

  test("gives the star of OPTIONS only to a rule for every path", () => {
    const star = request({ method: "OPTIONS", target: "*" });
    expect(winner([rule({ name: "root", matches: [match({ path: "/" })] })], star)).toBeNull();
    expect(winner([rule({ name: "all" })], star)).toBe("all");
  });

  test("finds nothing among no rules", () => {
    expect(winner([], request())).toBeNull();
  });
});

describe("what is found", () => {
  const index = createIndex([
    rule({ name: "root", matches: [match({ path: "/*" })] }),
    rule({ name: "prefix", matches: [match({ path: "/a b/cd/*" })], paths: pathPolicy({ encodedSlash: "allow" }) }),
    rule({ name: "pattern", matches: [match({ path: "/users/:id/posts/:post" })] }),
    rule({ name: "open", matches: [match({ path: "/teams/:team/*" })], paths: pathPolicy({ encodedSlash: "allow" }) }),
    rule({ name: "exact", matches: [match({ path: "/exact" })] }),
    rule({ name: "regex", hostnames: ["regex.test"], matches: [match({ path: { regex: "^/x" } })] }),
  ]);
  const find = (target: string, host = "shop.example.com") => index.find(request({ target, host }));

  test("has the prefix as the client wrote it, without trailing slash", () => {
    expect(find("/other")).toEqual({ target: "root", prefix: "", params: null });
    expect(find("/a%20b/cd?x=/")).toEqual({ target: "prefix", prefix: "/a%20b/cd", params: null });
    expect(find("/%61%20b/%63d/e%2Ff")).toEqual({ target: "prefix", prefix: "/%61%20b/%63d", params: null });
  });

  test("has the decoded parameters of a pattern", () => {
    const params = { id: "é é", post: "1" };
    expect(find("/users/%C3%A9%20%c3%a9/posts/1?x")).toEqual({ target: "pattern", prefix: null, params });
  });

  test("has prefix and parameters of an open pattern", () => {
    const params = { team: "a/b" };
    expect(find("/teams/a%2fb/c")).toEqual({ target: "open", prefix: "/teams/a%2fb", params });
    expect(find("/teams/x")).toEqual({ target: "open", prefix: "/teams/x", params: { team: "x" } });
  });

  test("has neither for an exact path and a regex", () => {
    expect(find("/exact")).toEqual({ target: "exact", prefix: null, params: null });
    expect(find("/xyz", "regex.test")).toEqual({ target: "regex", prefix: null, params: null });
  });

  test("is the same object each time where nothing is cut out of the path", () => {
    expect(find("/exact")).toBe(find("/exact?again"));
    expect(find("/other")).toBe(find("/another"));
  });
});

describe("an ambiguous path", () => {
  const open = rule({
    name: "open",
    matches: [match({ path: "/files/*" })],
    paths: pathPolicy({ encodedSlash: "allow", leadingDoubleSlash: "allow" }),
  });
  const index = createIndex([open, rule({ name: "strict", matches: [match({ path: "/strict/*" })] })]);
  const find = (target: string) => index.find(request({ target }));

  test("is taken by a route that allows each of its faults", () => {
    expect(find("/files/a%2Fb")?.target).toBe("open");
  });

  const REFUSED: readonly (readonly [sentence: string, target: string, detail: string])[] = [
    ["the matched route allows none", "/strict/a%2Fb", "The path holds an encoded slash (%2F)."],
    ["the matched route allows another", "/files/a%2F..%2Fb", "The path holds a dot segment."],
    ["no route matches", "/none/%2e%2e/%00", "The path holds a dot segment, an encoded NUL (%00)."],
    ["a slash is added in front", "//strict/a", "The path holds a leading //."],
  ];
  for (const [sentence, target, detail] of REFUSED) {
    test(`is refused when ${sentence}`, () => {
      expect(thrown(() => find(target))).toMatchObject({ code: "ambiguous_path", message: detail });
    });
  }

  test("in a query is nobody's concern", () => {
    expect(find("/strict/a?next=/../%2F%zz")?.target).toBe("strict");
  });
});
