import { hostMatches } from "./hostname.ts";
import { ambiguousPath, candidatesOf, createIndex, pathOf } from "./index.ts";
import { conditionFaults, type RouteRequest } from "./match.ts";
import { canonicalPath, faultNames, type PathFault } from "./path.ts";
import { type PathMatch, pathText } from "./path-match.ts";
import { compareHostnames, reasonBefore, sortedCandidates } from "./precedence.ts";
import type { Candidate, Found, RouteRule } from "./rule.ts";

/** How one route fared. */
export interface Verdict {
  readonly route: string;
  readonly isWinner: boolean;
  /** Why it lost, one reason for each of its matches at least; empty for the winner. */
  readonly reasons: readonly string[];
}

/** Which route takes a request and why every other one does not. */
export interface Explanation<T> {
  /** The path as it is matched. */
  readonly path: string;
  readonly faults: readonly PathFault[];
  /** Null when no route takes the request, or it is refused. */
  readonly found: Found<T> | null;
  /** Why the request is refused although a route may match, or null. */
  readonly refusal: string | null;
  /** The winner first, the others in the order of `order`. */
  readonly verdicts: readonly Verdict[];
}

/** A candidate that takes the request, and the most specific of its hostnames that does. */
interface Taker<T> {
  readonly candidate: Candidate<T>;
  readonly hostname: string;
}

/** A request with its canonical path, split as matching splits it. */
interface Asked {
  readonly request: RouteRequest;
  readonly path: string;
}

function segmentsMatch(match: PathMatch & { kind: "pattern" }, path: string): boolean {
  const given = path.slice(1).split("/");
  const { segments, isPrefix } = match;
  if (isPrefix ? given.length < segments.length : given.length !== segments.length) return false;
  return segments.every((segment, i) => ("param" in segment ? given[i] !== "" : given[i] === segment.literal));
}

/** Says whether one path match takes a canonical path; the index does the same for many at once. */
export function pathMatches(match: PathMatch | null, path: string): boolean {
  if (match === null) return true;
  if (match.kind === "regex") return match.regex.test(path);
  if (match.kind === "exact") return path === match.path;
  if (match.kind === "pattern") return path.startsWith("/") && segmentsMatch(match, path);
  return match.path === "" || path === match.path || path.startsWith(`${match.path}/`);
}

function hostnamesOf({ hostnames }: RouteRule<unknown>): readonly string[] {
  return hostnames.length === 0 ? ["*"] : hostnames;
}

function hostnameFor(rule: RouteRule<unknown>, host: string): string | null {
  const taking = hostnamesOf(rule).filter((hostname) => hostMatches(hostname, host));
  return taking.toSorted(compareHostnames)[0] ?? null;
}

function ruleFaults(rule: RouteRule<unknown>, { request }: Asked): readonly string[] {
  const faults: string[] = [];
  if (request.host === "" && rule.hostnames.length > 0) {
    faults.push(`no host was given, wanted ${rule.hostnames.join(" or ")}`);
  } else if (hostnameFor(rule, request.host) === null) {
    const names = rule.hostnames.length === 1 ? "does not match" : "matches none of";
    faults.push(`host ${request.host} ${names} ${rule.hostnames.join(", ")}`);
  }
  if (rule.listeners !== null && !rule.listeners.includes(request.listener)) {
    faults.push(`listener ${request.listener} is not one of ${rule.listeners.join(", ")}`);
  }
  return faults;
}

function matchFaults({ match }: Candidate<unknown>, { request, path }: Asked): readonly string[] {
  const conditions = conditionFaults(match, request);
  if (match.path === null || pathMatches(match.path, path)) return conditions;
  return [`path: ${pathText(match.path)} does not match ${path}`, ...conditions];
}

function takersOf<T>(rule: RouteRule<T>, asked: Asked): readonly Taker<T>[] {
  const hostname = hostnameFor(rule, asked.request.host);
  if (hostname === null || ruleFaults(rule, asked).length > 0) return [];
  const taking = candidatesOf(rule).filter((candidate) => matchFaults(candidate, asked).length === 0);
  return taking.map((candidate) => ({ candidate, hostname }));
}

/** The taker that goes before all others. */
function firstOf<T>(takers: readonly Taker<T>[]): Taker<T> | null {
  const hostname = takers.map((taker) => taker.hostname).toSorted(compareHostnames)[0];
  const rivals = takers.filter((taker) => taker.hostname === hostname);
  const first = sortedCandidates(rivals.map(({ candidate }) => candidate))[0];
  return rivals.find(({ candidate }) => candidate === first) ?? null;
}

function beaten(winner: Taker<unknown>, loser: Taker<unknown>): string {
  const name = winner.candidate.rule.name;
  if (winner.hostname === loser.hostname) {
    return `matched, but ${name} goes before it: ${reasonBefore(winner.candidate, loser.candidate)}`;
  }
  return `matched, but ${name} goes before it: host ${winner.hostname} is more specific than ${loser.hostname}`;
}

/** Why no match of a rule takes the request; several matches are told apart by their number. */
function missed(rule: RouteRule<unknown>, asked: Asked): readonly string[] {
  const faults = ruleFaults(rule, asked);
  if (faults.length > 0) return faults;
  const candidates = candidatesOf(rule);
  return candidates.flatMap((candidate) => {
    const label = candidates.length === 1 ? "" : `match ${candidate.position + 1}: `;
    return matchFaults(candidate, asked).map((reason) => label + reason);
  });
}

function verdictOf(rule: RouteRule<unknown>, winner: Taker<unknown> | null, asked: Asked): Verdict {
  if (rule === winner?.candidate.rule) return { route: rule.name, isWinner: true, reasons: [] };
  const taker = firstOf(takersOf(rule, asked));
  const reasons = taker === null || winner === null ? missed(rule, asked) : [beaten(winner, taker)];
  return { route: rule.name, isWinner: false, reasons };
}

/**
 * Says which route takes a request and why every other one lost. Slow, as it asks every rule: meant for people.
 * A request with an ambiguous path that its route does not accept has a winner and a refusal.
 */
export function explain<T>(rules: readonly RouteRule<T>[], request: RouteRequest): Explanation<T> {
  const { path, faults } = canonicalPath(pathOf(request.target));
  const asked: Asked = { request, path };
  const winner = firstOf(rules.flatMap((rule) => takersOf(rule, asked)));
  const refused = faults & ~(winner?.candidate.rule.paths ?? 0);
  const ordered = rules.toSorted((a, b) => a.order - b.order);
  const verdicts = ordered.map((rule) => verdictOf(rule, winner, asked));
  return {
    path,
    faults: faultNames(faults),
    found: refused === 0 && winner !== null ? createIndex([winner.candidate.rule]).find(request) : null,
    refusal: refused === 0 ? null : ambiguousPath(refused).message,
    verdicts: verdicts.toSorted((a, b) => Number(b.isWinner) - Number(a.isWinner)),
  };
}
