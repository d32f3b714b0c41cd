import type { Match, NamedTest, RouteRequest } from "../../src/route/match.ts";
import { type PathSpec, parsePath } from "../../src/route/path-match.ts";
import type { RouteRule } from "../../src/route/rule.ts";
import { parseValue, type ValueSpec } from "../../src/route/value-test.ts";
import { headerList } from "../../src/wire/header-list.ts";

interface MatchSpec {
  readonly path?: PathSpec;
  readonly methods?: readonly string[];
  readonly headers?: Readonly<Record<string, ValueSpec>>;
  readonly query?: Readonly<Record<string, ValueSpec>>;
}

function tests(specs: Readonly<Record<string, ValueSpec>> = {}): readonly NamedTest[] {
  return Object.entries(specs).map(([name, spec]) => ({ name, test: parseValue(spec) }));
}

/** A match as configuration would compile it. */
export function match(spec: MatchSpec): Match {
  return {
    path: spec.path === undefined ? null : parsePath(spec.path),
    methods: spec.methods ?? [],
    headers: tests(spec.headers),
    query: tests(spec.query),
  };
}

interface RuleSpec extends Partial<RouteRule<string>> {
  readonly name: string;
}

/** A rule for every request, whose target is its name, but for what is given. */
export function rule(spec: RuleSpec): RouteRule<string> {
  return { hostnames: [], listeners: null, matches: [], paths: 0, order: 0, target: spec.name, ...spec };
}

interface RequestSpec extends Partial<Omit<RouteRequest, "headers">> {
  readonly headers?: readonly (readonly [string, string])[];
}

/** A GET of `/` on shop.example.com, but for what is given. */
export function request(spec: RequestSpec = {}): RouteRequest {
  const { headers = [], ...rest } = spec;
  return {
    method: "GET",
    host: "shop.example.com",
    listener: "http",
    target: "/",
    headers: headerList(headers),
    ...rest,
  };
}

/** A new array in an order that `random` decides. */
export function shuffled<Item>(items: readonly Item[], random: () => number): readonly Item[] {
  return items
    .map((item) => ({ item, place: random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
