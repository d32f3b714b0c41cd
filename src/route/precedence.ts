import type { Match } from "./match.ts";
import type { PathMatch, Segment } from "./path-match.ts";
import type { Candidate } from "./rule.ts";

type PathKind = PathMatch["kind"];

const KINDS: Record<PathKind, number> = { exact: 0, pattern: 1, prefix: 2, regex: 3 };

function literalLength(segments: readonly Segment[]): number {
  let sum = 0;
  // The slash before a segment is literal too.
  for (const segment of segments) sum += 1 + ("literal" in segment ? segment.literal.length : 0);
  return sum;
}

function kindOf({ path }: Match): PathKind {
  return path?.kind ?? "prefix";
}

/** Literal characters of a pattern or a prefix; 0 for what is not compared by length. */
function lengthOf({ path }: Match): number {
  if (path?.kind === "pattern") return literalLength(path.segments);
  return path?.kind === "prefix" ? path.path.length : 0;
}

function tailOf({ path }: Match): number {
  return path?.kind === "pattern" && path.isPrefix ? 1 : 0;
}

interface Rule {
  /** Smaller goes first. */
  readonly key: (candidate: Candidate<unknown>) => number;
  /** Why the first one wins over the second. */
  readonly reason: (winner: Candidate<unknown>, loser: Candidate<unknown>) => string;
}

/** Gateway API's order of matches within one host, from the first that decides to the last. */
const RULES: readonly Rule[] = [
  {
    key: ({ match }) => KINDS[kindOf(match)],
    reason: (winner, loser) => `${kindOf(winner.match)} path wins over ${kindOf(loser.match)}`,
  },
  {
    key: ({ match }) => -lengthOf(match),
    reason: ({ match }) => `its ${kindOf(match)} is longer`,
  },
  { key: ({ match }) => tailOf(match), reason: () => "its pattern takes the whole path" },
  { key: ({ match }) => (match.methods.length > 0 ? 0 : 1), reason: () => "it matches the method" },
  {
    key: ({ match }) => -match.headers.length,
    reason: () => "it matches more headers",
  },
  {
    key: ({ match }) => -match.query.length,
    reason: () => "it matches more query parameters",
  },
  { key: ({ rule }) => rule.order, reason: () => "it is declared earlier" },
  { key: ({ position }) => position, reason: () => "it is declared earlier" },
];

/** Candidates in the order in which they win, for one host. Sorts a copy. */
export function sortedCandidates<T>(candidates: readonly Candidate<T>[]): readonly Candidate<T>[] {
  const keyed = candidates.map((candidate) => ({ candidate, keys: RULES.map((rule) => rule.key(candidate)) }));
  keyed.sort((a, b) => compareKeys(a.keys, b.keys));
  return keyed.map(({ candidate }) => candidate);
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Why `winner` goes before `loser` in one host, in words about the winner. */
export function reasonBefore(winner: Candidate<unknown>, loser: Candidate<unknown>): string {
  const rule = RULES.find(({ key }) => key(winner) !== key(loser));
  return rule?.reason(winner, loser) ?? "it is declared earlier";
}

/** 0 for an exact hostname, 1 for a wildcard, 2 for all hosts: the smaller wins. */
function hostKind(hostname: string): number {
  if (hostname === "*") return 2;
  return hostname.startsWith("*.") ? 1 : 0;
}

/** Negative if the first hostname wins: exact over wildcard, then the longer one. */
export function compareHostnames(a: string, b: string): number {
  return hostKind(a) - hostKind(b) || b.length - a.length;
}
