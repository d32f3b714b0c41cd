import { expect, test } from "bun:test";
import { explain, pathMatches } from "../../src/route/explain.ts";
import { hostMatches } from "../../src/route/hostname.ts";
import { createIndex } from "../../src/route/index.ts";
import { conditionsHold, type Match, type RouteRequest } from "../../src/route/match.ts";
import type { PathMatch, PathSpec } from "../../src/route/path-match.ts";
import type { RouteRule } from "../../src/route/rule.ts";
import { seededRandom } from "../support/chance.ts";
import { match, request, rule, shuffled } from "./support.ts";

const HOSTS = ["a.test", "b.a.test", "c.b.a.test", "x.test", "other"];
const HOSTNAMES = ["a.test", "b.a.test", "*.a.test", "*.b.a.test", "*.test", "*"];
// Some begin as others do, and there are enough of them for a node with many children.
const LITERALS = ["a", "ab", "b", "c", "cc", "d", "x1"];
const SEGMENTS = [...LITERALS, "", "%20", "abc"];
const PATTERN_SEGMENTS = ["a", "ab", "b", "cc", ":p", ":q", ":r"];
const REGEXES = ["^/a", "/cc$", "^/[^/]+/b", "x1", "^/(a|b)+$"];

type Random = () => number;

function oneOf<Item>(items: readonly Item[], random: Random): Item {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("nothing to choose from");
  return item;
}

function someOf<Item>(items: readonly Item[], count: number, random: Random): readonly Item[] {
  return shuffled(items, random).slice(0, Math.floor(random() * (count + 1)));
}

function randomPath(random: Random): PathSpec {
  const literals = Array.from({ length: 1 + Math.floor(random() * 3) }, () => oneOf(LITERALS, random));
  const literal = `/${literals.join("/")}`;
  const pattern = `/${shuffled(PATTERN_SEGMENTS, random).slice(0, literals.length).join("/")}`;
  return oneOf([literal, `${literal}/*`, "/*", pattern, `${pattern}/*`, { regex: oneOf(REGEXES, random) }], random);
}

function randomMatch(random: Random): Match {
  const header = oneOf(["1", { present: true }, { present: false }, { regex: "1|2" }], random);
  return match({
    ...(random() < 0.9 ? { path: randomPath(random) } : {}),
    methods: someOf(["GET", "POST"], 1, random),
    headers: random() < 0.2 ? { h: header } : random() < 0.1 ? { h: header, i: "1" } : {},
    query: random() < 0.2 ? { q: "1" } : {},
  });
}

function randomRule(order: number, random: Random): RouteRule<string> {
  const matches = Array.from({ length: Math.floor(random() * 3) }, () => randomMatch(random));
  const listeners = random() < 0.1 ? ["tls"] : null;
  return rule({ name: `r${order}`, hostnames: someOf(HOSTNAMES, 2, random), listeners, matches, order });
}

function randomRequest(random: Random): RouteRequest {
  const segments = Array.from({ length: 1 + Math.floor(random() * 4) }, () => oneOf(SEGMENTS, random));
  // A leading // would be refused, which is another test's concern.
  const path = `/${segments.join("/")}`.replace(/^\/+/, "/");
  const headers: (readonly [string, string])[] = [];
  for (const name of someOf(["H", "I"], 2, random)) headers.push([name, oneOf(["1", "2", "3"], random)]);
  const target = path + oneOf(["", "?q=1", "?q=2&q=1"], random);
  const method = oneOf(["GET", "POST"], random);
  return request({ method, host: oneOf(HOSTS, random), listener: oneOf(["http", "tls"], random), target, headers });
}

function literalCharacters(path: PathMatch | null): number {
  if (path?.kind === "prefix") return path.path.length;
  if (path?.kind !== "pattern") return 0;
  return path.segments.map((segment) => ("literal" in segment ? `/${segment.literal}` : "/")).join("").length;
}

/** Precedence as the contract states it, as numbers of which the first greater one wins. */
function merits(hostname: string, { path, methods, headers, query }: Match): readonly number[] {
  const kinds = { exact: 3, pattern: 2, prefix: 1, regex: 0 };
  return [
    hostname === "*" ? 0 : hostname.startsWith("*") ? 1 : 2,
    hostname.length,
    kinds[path?.kind ?? "prefix"],
    literalCharacters(path),
    path?.kind === "pattern" && path.isPrefix ? 0 : 1,
    methods.length > 0 ? 1 : 0,
    headers.length,
    query.length,
  ];
}

function isBetter(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((merit, i) => merit !== b[i]);
  return at >= 0 && (a[at] ?? 0) > (b[at] ?? 0);
}

/** Asks every hostname of every match of every rule, in the order of declaration. */
function naiveWinner(rules: readonly RouteRule<string>[], asked: RouteRequest): string | null {
  const path = asked.target.split("?")[0] ?? "";
  let best: { name: string; merits: readonly number[] } | null = null;
  for (const { name, hostnames, listeners, matches } of rules) {
    if (listeners !== null && !listeners.includes(asked.listener)) continue;
    for (const hostname of hostnames.length === 0 ? ["*"] : hostnames) {
      if (!hostMatches(hostname, asked.host)) continue;
      for (const each of matches.length === 0 ? [match({})] : matches) {
        if (!pathMatches(each.path, path) || !conditionsHold(each, asked)) continue;
        const found = { name, merits: merits(hostname, each) };
        if (best === null || isBetter(found.merits, best.merits)) best = found;
      }
    }
  }
  return best?.name ?? null;
}

test("the index finds what asking every rule in turn finds, and explain agrees", () => {
  let hits = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed);
    const rules = Array.from({ length: 1 + Math.floor(random() * 40) }, (_, order) => randomRule(order, random));
    const index = createIndex(shuffled(rules, random));
    for (let i = 0; i < 60; i++) {
      const asked = randomRequest(random);
      const expected = naiveWinner(rules, asked);
      const where = `seed ${seed}: ${asked.method} ${asked.host}${asked.target}`;
      expect([where, index.find(asked)?.target ?? null]).toEqual([where, expected]);
      if (i % 6 === 0) {
        const { found, verdicts } = explain(rules, asked);
        expect([where, found?.target ?? null]).toEqual([where, expected]);
        expect(verdicts.filter(({ isWinner, reasons }) => isWinner !== (reasons.length === 0))).toEqual([]);
      }
      if (expected !== null) hits++;
    }
  }
  expect(hits).toBeGreaterThan(1_000);
});
