import type { HeaderList } from "../wire/header-list.ts";
import type { PathMatch } from "./path-match.ts";
import { queryValue } from "./query.ts";
import { passes, type ValueTest, wanted } from "./value-test.ts";

/** What matching reads of a request; an Exchange is one. */
export interface RouteRequest {
  readonly method: string;
  /** Lower case, without port. */
  readonly host: string;
  /** Name of the listener that it came by. */
  readonly listener: string;
  /** Raw target with its query, one character per byte. */
  readonly target: string;
  readonly headers: HeaderList;
}

export interface NamedTest {
  /** Lower case for a header. */
  readonly name: string;
  readonly test: ValueTest;
}

/** When a request belongs: all parts must hold. Empty and null parts hold always. */
export interface Match {
  readonly path: PathMatch | null;
  /** In the case of the wire; GET does not imply HEAD. */
  readonly methods: readonly string[];
  readonly headers: readonly NamedTest[];
  /** On the first value of a name, decoded. */
  readonly query: readonly NamedTest[];
}

/** The match of a route that names none. */
export const EVERYTHING: Match = Object.freeze({ path: null, methods: [], headers: [], query: [] });

function headersHold(tests: readonly NamedTest[], headers: HeaderList): boolean {
  for (const { name, test } of tests) if (!passes(test, headers.get(name))) return false;
  return true;
}

function queryHolds(tests: readonly NamedTest[], target: string): boolean {
  for (const { name, test } of tests) if (!passes(test, queryValue(target, name))) return false;
  return true;
}

/** Says whether all parts but the path hold. A header that stands several times is one value, joined by `, `. */
export function conditionsHold(match: Match, request: RouteRequest): boolean {
  if (match.methods.length > 0 && !match.methods.includes(request.method)) return false;
  if (match.headers.length > 0 && !headersHold(match.headers, request.headers)) return false;
  return match.query.length === 0 || queryHolds(match.query, request.target);
}

function valueFault(what: string, value: string | null, test: ValueTest): string {
  const state = value === null ? "absent" : test.kind === "present" ? "present" : JSON.stringify(value);
  return `${what} is ${state}, ${wanted(test)}`;
}

/** Every part but the path that does not hold, in words. */
export function conditionFaults(match: Match, request: RouteRequest): readonly string[] {
  const faults: string[] = [];
  const { methods, headers, query } = match;
  if (methods.length === 1 && methods[0] !== request.method)
    faults.push(`method ${request.method} is not ${methods[0]}`);
  if (methods.length > 1 && !methods.includes(request.method)) {
    faults.push(`method ${request.method} is not one of ${methods.join(", ")}`);
  }
  for (const { name, test } of headers) {
    const value = request.headers.get(name);
    if (!passes(test, value)) faults.push(valueFault(`header ${name}`, value, test));
  }
  for (const { name, test } of query) {
    const value = queryValue(request.target, name);
    if (!passes(test, value)) faults.push(valueFault(`query ${name}`, value, test));
  }
  return faults;
}
