import { below, checkPart, type Spot, type ValueFault } from "./check.ts";
import { type HttpRouteDocument, httpRouteSchema } from "./http-route-schema.ts";

/** What can be read of an HTTPRoute that has faults, for further checks. */
export interface ReadableHttpRoute {
  /** Null when its name cannot be told. */
  readonly metadata: HttpRouteDocument["metadata"] | null;
  /** Without the keys that have faults, as if they were not written. Rules and parents keep their places. */
  readonly spec: HttpRouteDocument["spec"];
  /** Places of the rules whose own names cannot be told. */
  readonly unnamed: ReadonlySet<number>;
}

const { metadata: METADATA, spec: SPEC } = httpRouteSchema.shape;

// A fault in one entry of these leaves the others to be read.
const LISTS: ReadonlySet<unknown> = new Set(["parentRefs", "rules"]);

function without(value: unknown, keys: ReadonlySet<unknown>): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.has(key)));
}

function prunedItem(item: unknown, faults: readonly ValueFault[]): unknown {
  return without(item, new Set(faults.map(({ path }) => path[2])));
}

function pruned(spec: unknown, faults: readonly ValueFault[]): unknown {
  const isInside = ({ path }: ValueFault) => LISTS.has(path[0]) && path.length > 1;
  const outer = faults.filter((fault) => !isInside(fault)).map(({ path }) => path[0]);
  const entries = Object.entries(without(spec, new Set<unknown>(outer))).map(([key, value]) => {
    if (!LISTS.has(key) || !Array.isArray(value)) return [key, value];
    const own = faults.filter(({ path }) => path[0] === key);
    return [
      key,
      value.map((item, index) =>
        prunedItem(
          item,
          own.filter(({ path }) => path[1] === index),
        ),
      ),
    ];
  });
  return Object.fromEntries(entries);
}

/** Reads what it can of an HTTPRoute; null when nothing below `spec` can be told. */
export function readableHttpRoute(value: unknown, spot: Spot): ReadableHttpRoute | null {
  const written = without(value, new Set());
  const metadata = checkPart(METADATA, written["metadata"], below(spot, "metadata"));
  const at = below(spot, "spec");
  const whole = checkPart(SPEC, written["spec"], at);
  const faults = whole.isValid ? [] : whole.faults;
  let rest = pruned(written["spec"], faults);
  let checked = checkPart(SPEC, rest, at);
  if (!checked.isValid) {
    // What was pruned was needed: its whole list goes.
    rest = without(rest, new Set(checked.faults.map(({ path }) => path[0])));
    checked = checkPart(SPEC, rest, at);
  }
  if (!checked.isValid) return null;
  const unnamed = faults.flatMap(({ path: [list, index, key] }) => {
    const hidesName = list === "rules" && typeof index === "number" && (key === "name" || key === undefined);
    return hidesName ? [index] : [];
  });
  return { metadata: metadata.isValid ? metadata.data : null, spec: checked.data, unnamed: new Set(unnamed) };
}
