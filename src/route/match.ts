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

/** A kind of named values, as one says it. */
export type FieldKind = "header" | "query";

// What such fields hold is nobody's to read in a terminal or a log: rather a field too many than one too few.
const SECRET_FIELD = /(?:auth|authorization|cookie|token|key|secret|password|credential|session|signature|jwt)s?\d?$/i;
const MASK = "***";

/** A header's value as people read it: its bytes are nearly always UTF-8. */
function readable(kind: FieldKind, value: string): string {
  return kind === "header" ? Buffer.from(value, "latin1").toString("utf8") : value;
}

/** What a field must be, in words, as in `wanted "1"`; `***` for a field that holds secrets by its name. */
export function wantedOf(kind: FieldKind, { name, test }: NamedTest): string {
  if (test.kind === "present") return wanted(test);
  if (SECRET_FIELD.test(name)) return test.kind === "exact" ? `wanted "${MASK}"` : `wanted to match ${MASK}`;
  return wanted(test.kind === "exact" ? { ...test, value: readable(kind, test.value) } : test);
}

function stateOf(kind: FieldKind, value: string | null, { name, test }: NamedTest): string {
  if (value === null) return "absent";
  if (test.kind === "present") return "present";
  return JSON.stringify(SECRET_FIELD.test(name) ? MASK : readable(kind, value));
}

function fieldFault(kind: FieldKind, value: string | null, named: NamedTest): string {
  return `${kind} ${named.name} is ${stateOf(kind, value, named)}, ${wantedOf(kind, named)}`;
}

/** Every part but the path that does not hold, in words. Values of fields that hold secrets by their names are `***`. */
export function conditionFaults(match: Match, request: RouteRequest): readonly string[] {
  const faults: string[] = [];
  const { methods, headers, query } = match;
  if (methods.length === 1 && methods[0] !== request.method)
    faults.push(`method ${request.method} is not ${methods[0]}`);
  if (methods.length > 1 && !methods.includes(request.method)) {
    faults.push(`method ${request.method} is not one of ${methods.join(", ")}`);
  }
  for (const named of headers) {
    const value = request.headers.get(named.name);
    if (!passes(named.test, value)) faults.push(fieldFault("header", value, named));
  }
  for (const named of query) {
    const value = queryValue(request.target, named.name);
    if (!passes(named.test, value)) faults.push(fieldFault("query", value, named));
  }
  return faults;
}
