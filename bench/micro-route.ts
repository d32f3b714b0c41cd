import { createIndex } from "../src/route/index.ts";
import type { Match, RouteRequest } from "../src/route/match.ts";
import { canonicalPath } from "../src/route/path.ts";
import { type PathSpec, parsePath } from "../src/route/path-match.ts";
import type { RouteRule } from "../src/route/rule.ts";
import { headerList } from "../src/wire/header-list.ts";

const ROUTES_PER_HOST = 100;
const ROUNDS = 15;

interface Sample {
  readonly spec: PathSpec;
  readonly target: string;
}

/** Ten routes hold four prefixes, three patterns, two exact paths and one regex. */
function sample(i: number): Sample {
  const kind = i % 10;
  if (kind < 4) return { spec: `/api/v1/team${i}/*`, target: `/api/v1/team${i}/items/17?page=2` };
  if (kind < 7) return { spec: `/api/v1/users${i}/:id/orders/:order`, target: `/api/v1/users${i}/42/orders/a-17` };
  if (kind < 9) return { spec: `/static/app${i}/index.html`, target: `/static/app${i}/index.html` };
  return { spec: { regex: `^/v[12]/catalog${i}/[0-9]+$` }, target: `/v2/catalog${i}/1234` };
}

function matchOf(spec: PathSpec): Match {
  return { path: parsePath(spec), methods: [], headers: [], query: [] };
}

function ruleOf(i: number): RouteRule<number> {
  const hostnames = [`host${Math.floor(i / ROUTES_PER_HOST)}.example.com`];
  const matches = [matchOf(sample(i).spec)];
  return { name: `route-${i}`, hostnames, listeners: null, matches, paths: 0, order: i, target: i };
}

function requestOf(i: number): RouteRequest {
  const host = `host${Math.floor(i / ROUTES_PER_HOST)}.example.com`;
  return { method: "GET", host, listener: "http", target: sample(i).target, headers: headerList([]) };
}

/** Nanoseconds for each input in the least disturbed of several rounds. */
function nanosPerInput<Input>(inputs: readonly Input[], run: (input: Input) => unknown): number {
  const repeats = Math.ceil(100_000 / inputs.length);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const startedAt = Bun.nanoseconds();
    for (let i = 0; i < repeats; i++) for (const input of inputs) run(input);
    return (Bun.nanoseconds() - startedAt) / (repeats * inputs.length);
  });
  return Math.min(...rounds);
}

/** Targets as new strings, as a parser makes them: a string that was hashed before looks faster than it is. */
function freshTargets(requests: readonly RouteRequest[]): readonly RouteRequest[] {
  const bytes = requests.map((request) => Buffer.from(request.target));
  return requests.map((request, i) => ({ ...request, target: bytes[i]?.toString("latin1") ?? "" }));
}

function benchRoutes(count: number): void {
  const rules = Array.from({ length: count }, (_, i) => ruleOf(i));
  const builds = Array.from({ length: ROUNDS }, () => {
    const startedAt = Bun.nanoseconds();
    createIndex(rules);
    return (Bun.nanoseconds() - startedAt) / 1e6;
  });
  const index = createIndex(rules);
  const requests = freshTargets(rules.map((_, i) => requestOf(i)));
  console.log(`${count} routes: build ${Math.min(...builds).toFixed(1)} ms (first ${builds[0]?.toFixed(1)} ms)`);
  const kinds: readonly (readonly [string, number, number])[] = [
    ["all", 0, 10],
    ["prefix", 0, 4],
    ["pattern", 4, 7],
    ["exact", 7, 9],
    ["regex", 9, 10],
  ];
  for (const [name, from, to] of kinds) {
    const chosen = requests.filter((_, i) => i % 10 >= from && i % 10 < to);
    const nanos = nanosPerInput(chosen, (request) => index.find(request));
    console.log(`  ${name.padEnd(8)} ${nanos.toFixed(0).padStart(5)} ns`);
  }
}

function benchPaths(): void {
  const paths = { plain: "/api/v1/users/42/orders/a-17", escaped: "/caf%C3%A9/%7Eana/a%20b" };
  for (const [name, path] of Object.entries(paths)) {
    const inputs = Array.from({ length: 1000 }, () => Buffer.from(path).toString("latin1"));
    console.log(`canonicalPath ${name}: ${nanosPerInput(inputs, canonicalPath).toFixed(0)} ns`);
  }
}

for (const count of [10, 1_000, 10_000]) benchRoutes(count);
benchPaths();
