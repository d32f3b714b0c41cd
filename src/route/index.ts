import { GatewayError } from "../errors.ts";
import { firstSegments, paramsOf, segmentCount } from "./capture.ts";
import { addEntry, createHostTable, type Entry, entryOf, type HostTable } from "./host-table.ts";
import { EVERYTHING, type Match, type RouteRequest } from "./match.ts";
import { type CanonicalPath, canonicalPath } from "./path.ts";
import { faultWords } from "./path-policy.ts";
import { sortedCandidates } from "./precedence.ts";
import type { Candidate, Found, RouteRule } from "./rule.ts";
import { Search } from "./search.ts";

/** Routes, compiled for finding. Immutable. */
export interface RouteIndex<T> {
  /**
   * The route that takes the request, or null. Hosts are tried from the most specific to the least, until a route of
   * one takes it. Throws `ambiguous_path` for a path with faults that this route, or no route at all, accepts.
   */
  find(request: RouteRequest): Found<T> | null;
}

interface Hosts<T> {
  readonly exact: Map<string, HostTable<T>>;
  /** By what follows the `*`. */
  readonly wildcards: Map<string, HostTable<T>>;
  readonly all: HostTable<T>;
}

/** The matches of a rule as candidates; a rule that names none takes every request. */
export function candidatesOf<T>(rule: RouteRule<T>): readonly Candidate<T>[] {
  const matches = rule.matches.length === 0 ? [EVERYTHING] : rule.matches;
  return matches.map((match, position) => ({ rule, match, position }));
}

function tableIn<T>(tables: Map<string, HostTable<T>>, key: string): HostTable<T> {
  const known = tables.get(key);
  if (known !== undefined) return known;
  const made = createHostTable<T>();
  tables.set(key, made);
  return made;
}

function tableOf<T>(hosts: Hosts<T>, hostname: string): HostTable<T> {
  if (hostname === "*") return hosts.all;
  if (hostname.startsWith("*.")) return tableIn(hosts.wildcards, hostname.slice(1));
  return tableIn(hosts.exact, hostname);
}

function fixedPrefix({ path }: Match): string | null {
  if (path === null) return "";
  return path.kind === "prefix" ? path.path : null;
}

function createHosts<T>(rules: readonly RouteRule<T>[]): Hosts<T> {
  const hosts: Hosts<T> = { exact: new Map(), wildcards: new Map(), all: createHostTable() };
  const sorted = sortedCandidates(rules.flatMap(candidatesOf));
  for (const [rank, { rule, match }] of sorted.entries()) {
    const found = Object.freeze({ target: rule.target, prefix: fixedPrefix(match), params: null });
    // Entries are linked within their place, so that each place needs one of its own.
    const made = () => entryOf(rank, { rule, match, found });
    if (rule.hostnames.length === 0) addEntry(hosts.all, made());
    for (const hostname of rule.hostnames) addEntry(tableOf(hosts, hostname), made());
  }
  return hosts;
}

function inWildcards<T>(wildcards: Map<string, HostTable<T>>, host: string, search: Search<T>): Entry<T> | null {
  if (wildcards.size === 0) return null;
  // The first label must hold something: a host that begins with a dot is none.
  for (let dot = host.indexOf(".", 1); dot >= 0; dot = host.indexOf(".", dot + 1)) {
    const table = wildcards.get(host.slice(dot));
    const entry = table === undefined ? null : search.in(table);
    if (entry !== null) return entry;
  }
  return null;
}

function inHosts<T>({ exact, wildcards, all }: Hosts<T>, host: string, search: Search<T>): Entry<T> | null {
  const table = exact.get(host);
  const entry = table === undefined ? null : search.in(table);
  return entry ?? inWildcards(wildcards, host, search) ?? search.in(all);
}

/** Why a path with faults is refused. */
export function ambiguousPath(faults: number): GatewayError {
  return new GatewayError("ambiguous_path", `The path holds ${faultWords(faults)}.`);
}

/** The path part of a raw target. */
export function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}

/** What was found, with what the match took of the path. */
function foundAt<T>(entry: Entry<T>, raw: string, { path }: CanonicalPath): Found<T> {
  if (!entry.isPattern && raw === path) return entry.found;
  const { match, found } = entry;
  const kind = match.path;
  if (kind?.kind === "pattern") {
    const prefix = kind.isPrefix ? firstSegments(raw, kind.segments.length) : null;
    return { target: found.target, prefix, params: paramsOf(kind.segments, path) };
  }
  if (kind?.kind !== "prefix") return found;
  return { target: found.target, prefix: firstSegments(raw, segmentCount(kind.path)), params: null };
}

/** Compiles rules into an index. The order of the array does not matter, only `order` does. */
export function createIndex<T>(rules: readonly RouteRule<T>[]): RouteIndex<T> {
  const hosts = createHosts(rules);
  return {
    find(request) {
      const raw = pathOf(request.target);
      const canonical = canonicalPath(raw);
      const entry = inHosts(hosts, request.host, new Search<T>(canonical.path, request));
      const refused = canonical.faults === 0 ? 0 : canonical.faults & ~(entry?.rule.paths ?? 0);
      if (refused !== 0) throw ambiguousPath(refused);
      return entry === null ? null : foundAt(entry, raw, canonical);
    },
  };
}
