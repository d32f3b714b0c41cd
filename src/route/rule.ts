import type { Match } from "./match.ts";
import type { PathPolicy } from "./path-policy.ts";

/** What the index is made from: a route and when it is meant. */
export interface RouteRule<T> {
  readonly name: string;
  /** As `parseHostname` gives them; empty for all hosts. */
  readonly hostnames: readonly string[];
  /** Names of the listeners it is bound to, or null for all. */
  readonly listeners: readonly string[] | null;
  /** Any of these; empty for every request. */
  readonly matches: readonly Match[];
  /** Faults of a path that the route accepts. */
  readonly paths: PathPolicy;
  /** Place in the files; the lower one wins where all else is equal. */
  readonly order: number;
  readonly target: T;
}

/** One match of a rule, with all that decides its precedence within a host. */
export interface Candidate<T> {
  readonly rule: RouteRule<T>;
  readonly match: Match;
  /** Place of the match in its rule. */
  readonly position: number;
}

/** The route that takes a request. */
export interface Found<T> {
  readonly target: T;
  /** What a prefix match took of the raw path, without trailing slash ("" for `/`); null for other matches. */
  readonly prefix: string | null;
  /** Decoded values of a pattern's parameters, or null if it is no pattern. */
  readonly params: Readonly<Record<string, string>> | null;
}
