import { describe, expect, test } from "bun:test";
import { explain } from "../../src/route/explain.ts";
import { pathPolicy } from "../../src/route/path-policy.ts";
import type { RouteRule } from "../../src/route/rule.ts";
import { match, request, rule } from "./support.ts";

/** A text's UTF-8 bytes, one character each, as the wire gives them. */
const latin1 = (text: string) => Buffer.from(text).toString("latin1");

const ASKED = request({
  target: "/catalog/7?lang=de",
  headers: [
    ["X-Team", "blue"],
    ["Authorization", "Bearer s3cret"],
    ["Cookie", "sid=s3cret"],
    ["X-City", latin1("Zürich")],
  ],
});
const WINNER = rule({ name: "winner", matches: [match({ path: "/catalog/:id" })], order: 50 });

function reasonsOf(loser: RouteRule<string>, asked = ASKED): readonly string[] {
  const { verdicts } = explain([WINNER, loser], asked);
  return verdicts.find(({ route }) => route === loser.name)?.reasons ?? [];
}

type Row = readonly [loser: Omit<Partial<RouteRule<string>>, "name">, reasons: readonly string[]];

const ROWS: readonly Row[] = [
  [{ hostnames: ["a.test"] }, ["host shop.example.com does not match a.test"]],
  [{ hostnames: ["a.test", "*.b.test"] }, ["host shop.example.com matches none of a.test, *.b.test"]],
  [{ listeners: ["https"] }, ["listener http is not one of https"]],
  [{ matches: [match({ path: "/users/*" })] }, ["path: /users/* does not match /catalog/7"]],
  [{ matches: [match({ path: { regex: "^/v1" } })] }, ["path: regex ^/v1 does not match /catalog/7"]],
  [{ matches: [match({ methods: ["POST"] })] }, ["method GET is not POST"]],
  [{ matches: [match({ methods: ["POST", "PUT"] })] }, ["method GET is not one of POST, PUT"]],
  [{ matches: [match({ headers: { "x-beta": "1" } })] }, ['header x-beta is absent, wanted "1"']],
  [{ matches: [match({ headers: { "x-team": "red" } })] }, ['header x-team is "blue", wanted "red"']],
  [{ matches: [match({ headers: { authorization: "Basic abc" } })] }, ['header authorization is "***", wanted "***"']],
  [{ matches: [match({ headers: { cookie: { regex: "a=b" } } })] }, ['header cookie is "***", wanted to match ***']],
  [{ matches: [match({ query: { access_token: "t0p" } })] }, ['query access_token is absent, wanted "***"']],
  [{ matches: [match({ headers: { "x-city": latin1("Köln") } })] }, ['header x-city is "Zürich", wanted "Köln"']],
  [{ matches: [match({ headers: { "x-team": { present: false } } })] }, ["header x-team is present, wanted it absent"]],
  [{ matches: [match({ headers: { "x-id": { present: true } } })] }, ["header x-id is absent, wanted it present"]],
  [{ matches: [match({ query: { lang: { regex: "en|fr" } } })] }, ['query lang is "de", wanted to match en|fr']],
  [
    { matches: [match({ path: "/a", methods: ["POST"] }), match({ path: "/b" })] },
    [
      "match 1: path: /a does not match /catalog/7",
      "match 1: method GET is not POST",
      "match 2: path: /b does not match /catalog/7",
    ],
  ],
  [{ matches: [match({ path: "/catalog/*" })] }, ["matched, but winner goes before it: pattern path wins over prefix"]],
  [{ matches: [match({ path: "/:a/:b" })] }, ["matched, but winner goes before it: its pattern is longer"]],
  [
    { matches: [match({ path: "/catalog/:x" })], order: 51 },
    ["matched, but winner goes before it: it is declared earlier"],
  ],
];

describe("explain", () => {
  for (const [loser, reasons] of ROWS) {
    test(`says: ${reasons.join("; ")}`, () => {
      expect(reasonsOf(rule({ ...loser, name: "loser" }))).toEqual(reasons);
    });
  }

  test("says that no host was given", () => {
    const asked = request({ host: "" });
    expect(reasonsOf(rule({ name: "loser", hostnames: ["a.test"] }), asked)).toEqual([
      "no host was given, wanted a.test",
    ]);
    expect(reasonsOf(rule({ name: "loser", hostnames: ["a.test", "*.b.test"] }), asked)).toEqual([
      "no host was given, wanted a.test or *.b.test",
    ]);
  });

  test("says which host is more specific", () => {
    const rules = [
      rule({ name: "a", hostnames: ["*.example.com"] }),
      rule({ name: "b", matches: [match({ path: "/" })] }),
    ];
    expect(explain(rules, request()).verdicts).toEqual([
      { route: "a", isWinner: true, reasons: [] },
      {
        route: "b",
        isWinner: false,
        reasons: ["matched, but a goes before it: host *.example.com is more specific than *"],
      },
    ]);
  });

  test("says what decides among conditions", () => {
    const rules = [
      rule({ name: "method", matches: [match({ methods: ["GET"] })] }),
      rule({ name: "header", matches: [match({ headers: { "x-team": "blue" } })] }),
      rule({ name: "query", matches: [match({ query: { lang: "de" } })] }),
    ];
    const first = explain(rules, ASKED).verdicts.flatMap(({ reasons }) => reasons);
    expect(first.every((reason) => reason.endsWith("method goes before it: it matches the method"))).toBe(true);
    const second = explain(rules.slice(1), ASKED).verdicts.flatMap(({ reasons }) => reasons);
    expect(second).toEqual(["matched, but header goes before it: it matches more headers"]);
  });

  test("puts the winner first and the others in the order of declaration", () => {
    const others = [3, 1, 2].map((order) => rule({ name: `r${order}`, hostnames: ["no.test"], order }));
    expect(explain([...others, WINNER], ASKED).verdicts.map(({ route }) => route)).toEqual([
      "winner",
      "r1",
      "r2",
      "r3",
    ]);
  });

  test("has the canonical path, its faults and what was found", () => {
    const explanation = explain([WINNER], request({ target: "/c%61talog/7" }));
    expect(explanation).toMatchObject({ path: "/catalog/7", faults: [], refusal: null });
    expect(explanation.found).toEqual({ target: "winner", prefix: null, params: { id: "7" } });
  });

  test("says that a winner refuses an ambiguous path, and when it does not", () => {
    const asked = request({ target: "/catalog/a%2Fb" });
    const refusal = "The path holds an encoded slash (%2F).";
    expect(explain([WINNER], asked)).toMatchObject({ faults: ["encoded_slash"], found: null, refusal });
    const allowing = rule({ ...WINNER, paths: pathPolicy({ encodedSlash: "allow" }) });
    expect(explain([allowing], asked)).toMatchObject({ found: { target: "winner" }, refusal: null });
  });

  test("finds nothing among no rules", () => {
    expect(explain([], request())).toEqual({ path: "/", faults: [], found: null, refusal: null, verdicts: [] });
  });
});
