import type { LimitsDocument, LimitsView } from "./limits-schema.ts";
import type { WorkerLimits } from "./source.ts";

type Limit = LimitsView["limits"][number];
type Mode = LimitsView["mode"];

const WORST: readonly Mode[] = ["local", "waiting", "leased"];

function worst(modes: readonly Mode[]): Mode {
  return WORST.find((mode) => modes.includes(mode)) ?? "leased";
}

function sum<One>(list: readonly One[], read: (one: One) => number): number {
  return list.reduce((total, one) => total + read(one), 0);
}

function most<One>(list: readonly One[], read: (one: One) => number): number {
  return list.reduce((top, one) => Math.max(top, read(one)), 0);
}

function mergeLimits(all: readonly Limit[]): Limit[] {
  const merged = new Map<string, Limit>();
  for (const one of all) {
    const { name, algorithm, limit, perMs, burst } = one;
    const key = JSON.stringify([name, algorithm, limit, perMs, burst]);
    const before = merged.get(key);
    if (before === undefined) {
      merged.set(key, { ...one });
      continue;
    }
    before.keys += one.keys;
    before.leased += one.leased;
    before.admitted += one.admitted;
    before.refused += one.refused;
  }
  return [...merged.values()];
}

type Counts = "keys" | "leased" | "admitted" | "refused" | "inFlight" | "held";

/** Adds up what is counted of equal limits: all but their names and numbers. */
function mergeAlike<One extends { readonly name: string; readonly limit: number }>(
  all: readonly One[],
  counts: readonly (keyof One & Counts)[],
): One[] {
  const merged = new Map<string, One>();
  for (const one of all) {
    const key = JSON.stringify([one.name, one.limit, "window" in one ? one.window : null]);
    const before = merged.get(key);
    const sums = counts.map((count) => [count, Number(one[count]) + Number(before?.[count] ?? 0)]);
    merged.set(key, { ...one, ...Object.fromEntries(sums) });
  }
  return [...merged.values()];
}

function merge(views: readonly LimitsView[]): LimitsView | null {
  const [first] = views;
  if (first === undefined) return null;
  return {
    kind: first.kind,
    mode: worst(views.map(({ mode }) => mode)),
    gateways: most(views, ({ gateways }) => gateways),
    vanished: most(views, ({ vanished }) => vanished),
    share: sum(views, ({ share }) => share),
    storeCalls: sum(views, ({ storeCalls }) => storeCalls),
    quotas: mergeAlike(
      views.flatMap(({ quotas }) => quotas),
      ["keys", "leased", "admitted", "refused"],
    ),
    concurrency: mergeAlike(
      views.flatMap(({ concurrency }) => concurrency),
      ["keys", "inFlight", "held", "admitted", "refused"],
    ),
    limits: mergeLimits(views.flatMap(({ limits }) => limits)),
  };
}

/** What all workers know, as one. */
export function limitsDocument(workers: readonly WorkerLimits[]): LimitsDocument {
  const known = workers.flatMap(({ worker, limits }) =>
    limits === null || limits === "silent" ? [] : [{ worker, limits }],
  );
  const numbers = (list: readonly WorkerLimits[]) => list.map(({ worker }) => worker);
  return {
    state: merge(known.map(({ limits }) => limits)),
    workers: known.map(({ worker, limits: { mode, share, storeCalls } }) => ({ worker, mode, share, storeCalls })),
    answered: numbers(workers.filter(({ limits }) => limits !== "silent")),
    missing: numbers(workers.filter(({ limits }) => limits === "silent")),
  };
}
