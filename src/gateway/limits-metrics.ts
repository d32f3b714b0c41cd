import type { LimiterState, LimitMode, LimitsState } from "../limit/limit.ts";
import type { CountDecision, LimitKind, LimitOutcome } from "../limit/plugin-limits.ts";
import type { Counter, Sample } from "../telemetry/family.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { collectQuotas, collectSlots } from "./quota-metrics.ts";

export interface LimitsMetricsDeps {
  readonly metrics: Pick<Metrics, "collect" | "counter">;
  /** Asked at each scrape; null while there are no limits. */
  readonly state: () => LimitsState | null;
  /** Calls to the store since the start. */
  readonly calls: () => number;
}

/** All families of a scrape are read within this, and a look at every key is made once for them. */
const FRESH_MS = 100;

const MODES: readonly LimitsState["mode"][] = ["leased", "waiting", "local"];

/** What counts the decisions of a limit. */
type CounterOf = (limit: string, kind?: LimitKind) => CountDecision;

/** Registers the families of limits, and gives what counts decisions in them. */
export function createLimitsMetrics({ metrics, state, calls }: LimitsMetricsDeps): CounterOf {
  const recent = keptFor(FRESH_MS, state);
  collectState(metrics, recent);
  collectLimits(metrics, recent);
  collectQuotas(metrics, recent);
  collectSlots(metrics, recent);
  metrics.collect({
    name: "torii_limits_store_calls_total",
    help: "Calls to the store for limits.",
    type: "counter",
    read: () => [{ labels: [], value: calls() }],
  });
  const what = "by what was decided, and by what: leases, the own share, or the policy for the store's absence.";
  const labels = ["limit", "outcome", "mode"];
  const family = (name: string, of: string) => metrics.counter({ name, help: `Requests at ${of}, ${what}`, labels });
  const decisions = {
    rate_limit: family("torii_rate_limit_decisions_total", "a rate limit"),
    quota: family("torii_quota_decisions_total", "a quota"),
    concurrency_limit: family("torii_concurrency_limit_decisions_total", "a limit of what is in flight"),
  };
  return (limit, kind = "rate_limit") => {
    const series = new Map<LimitOutcome, Map<LimitMode, Counter>>();
    return (outcome, mode) => {
      const known = series.get(outcome)?.get(mode);
      if (known !== undefined) return known.add();
      const made = decisions[kind].of(limit, outcome, mode);
      series.set(outcome, (series.get(outcome) ?? new Map<LimitMode, Counter>()).set(mode, made));
      made.add();
    };
  };
}

function keptFor<Value>(ms: number, read: () => Value | null): () => Value | null {
  let kept: { readonly value: Value | null; readonly until: number } | null = null;
  return () => {
    const nowMs = performance.now();
    if (kept === null || kept.value === null || nowMs >= kept.until) kept = { value: read(), until: nowMs + ms };
    return kept.value;
  };
}

function collectState(metrics: LimitsMetricsDeps["metrics"], state: LimitsMetricsDeps["state"]): void {
  const one = (read: (now: LimitsState) => number) => (): readonly Sample[] => {
    const now = state();
    return now === null ? [] : [{ labels: [], value: read(now) }];
  };
  metrics.collect({
    name: "torii_limits_mode",
    help: "1 for the mode in force: leased (the store lends), waiting (it is away), local (the own share); absent without limits.",
    labels: ["mode"],
    type: "gauge",
    read: () => {
      const now = state();
      return now === null ? [] : MODES.map((mode) => ({ labels: [mode], value: now.mode === mode ? 1 : 0 }));
    },
  });
  metrics.collect({
    name: "torii_limits_gateways",
    help: "Processes known to share the limits, this one included.",
    type: "gauge",
    read: one(({ gateways }) => gateways),
  });
  metrics.collect({
    name: "torii_limits_gateways_vanished",
    help: "Of these, the ones that ended without a goodbye, whose shares are withheld.",
    type: "gauge",
    read: one(({ vanished }) => vanished),
  });
  metrics.collect({
    name: "torii_limits_share",
    help: "This gateway's part of every limit while the store is away, 0 to 1.",
    type: "gauge",
    read: one(({ share }) => share),
  });
}

function collectLimits(metrics: LimitsMetricsDeps["metrics"], state: LimitsMetricsDeps["state"]): void {
  const each = (read: (one: LimiterState) => number) => (): readonly Sample[] =>
    (state()?.limiters ?? []).map((one) => ({ labels: [one.name], value: read(one) }));
  metrics.collect({
    name: "torii_limits_keys",
    help: "Keys of a limit that are held here.",
    labels: ["limit"],
    type: "gauge",
    read: each(({ keys }) => keys),
  });
  metrics.collect({
    name: "torii_limits_leased_tokens",
    help: "Tokens of a limit that are lent to this gateway and not spent.",
    labels: ["limit"],
    type: "gauge",
    read: each(({ leased }) => leased),
  });
}
