import type { MetricFamilies, MetricFamily } from "./metric-families.ts";

/** What several processes' values of one sample become. `own`: only the supervisor's counts. */
export type MergeRule = "sum" | "min" | "max" | "own";

/** Families that are not simply added up; the first that fits decides. */
const RULES: readonly (readonly [pattern: RegExp, rule: MergeRule])[] = [
  // The supervisor reads each configuration once; the workers read it once more each.
  [/^torii_config_reloads_total$/, "own"],
  [/^torii_config_last_reload_timestamp_seconds$/, "max"],
  // What holds for one, and the worst of all.
  [
    /_info$|^torii_(?:accept_paused|overload_pressure|endpoints_absent|registry_copy_services|registry_copy_age_seconds)$/,
    "max",
  ],
  [/^torii_concurrency_min_rtt_seconds$/, "max"],
  // Each worker knows of all the others; its own share adds up to the gateway's.
  [/^torii_limits_(?:mode|gateways|gateways_vanished)$/, "max"],
  // Good only where it is good for all: a flag of success or health, an instant when something ends, a bound.
  [/_(?:successful|healthy|up|reachable|expiry_timestamp_seconds|zone_share)$/, "min"],
  [/^process_(?:start_time_seconds|max_fds)$/, "min"],
];

/** How a family is merged: counters, histograms and most gauges are added up. */
function mergeRule(name: string): MergeRule {
  return RULES.find(([pattern]) => pattern.test(name))?.[1] ?? "sum";
}

function combined(rule: MergeRule, before: number | undefined, value: number): number {
  if (before === undefined) return value;
  if (rule === "min") return Math.min(before, value);
  return rule === "max" ? Math.max(before, value) : before + value;
}

function familyIn(into: MetricFamilies, { name, head, type }: MetricFamily): MetricFamily {
  const known = into.get(name) ?? { name, head, type, samples: new Map() };
  into.set(name, known);
  return known;
}

/** Adds a worker's families to those of others, by each family's rule. */
export function mergeFamilies(into: MetricFamilies, from: MetricFamilies): void {
  for (const family of from.values()) {
    const rule = mergeRule(family.name);
    if (rule === "own") continue;
    const { samples } = familyIn(into, family);
    for (const [sample, value] of family.samples) samples.set(sample, combined(rule, samples.get(sample), value));
  }
}

/** So many series of workers that are gone are kept; more could only come from names that change without end. */
const MOST_KEPT = 50_000;

/**
 * Adds to `into` what must not be lost of a worker that is gone: a counter that fell would look like one that began
 * anew, and all that it still shows like an increase.
 */
export function keepCounts(into: MetricFamilies, gone: MetricFamilies): void {
  let kept = 0;
  for (const { samples } of into.values()) kept += samples.size;
  for (const family of gone.values()) {
    if (family.type === "gauge" || mergeRule(family.name) !== "sum") continue;
    const { samples } = familyIn(into, family);
    for (const [sample, value] of family.samples) {
      const before = samples.get(sample);
      if (before === undefined && ++kept > MOST_KEPT) continue;
      samples.set(sample, (before ?? 0) + value);
    }
  }
}
