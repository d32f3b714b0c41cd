import type { LimitsState } from "../limit/limit.ts";
import type { Sample } from "../telemetry/family.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** Asked at each scrape; null while there are no limits. */
type StateOf = () => LimitsState | null;

/** One sample for each name: a reload with another number leaves two limits of one name for a while. */
function samplesOf<One extends { readonly name: string }>(
  all: readonly One[],
  read: (one: One) => number,
): readonly Sample[] {
  const sums = new Map<string, number>();
  for (const one of all) sums.set(one.name, (sums.get(one.name) ?? 0) + read(one));
  return [...sums].map(([name, value]) => ({ labels: [name], value }));
}

/** Registers what is held of quotas. */
export function collectQuotas(metrics: Pick<Metrics, "collect">, state: StateOf): void {
  const each = (read: (one: LimitsState["quotas"][number]) => number) => (): readonly Sample[] =>
    samplesOf(state()?.quotas ?? [], read);
  metrics.collect({
    name: "torii_quota_keys",
    help: "Keys of a quota that are held here.",
    labels: ["limit"],
    type: "gauge",
    read: each(({ keys }) => keys),
  });
  metrics.collect({
    name: "torii_quota_leased_units",
    help: "Units of a quota that are lent to this gateway and not spent.",
    labels: ["limit"],
    type: "gauge",
    read: each(({ leased }) => leased),
  });
}

/** Registers what is held of limits of what is in flight. */
export function collectSlots(metrics: Pick<Metrics, "collect">, state: StateOf): void {
  const each = (read: (one: LimitsState["slots"][number]) => number) => (): readonly Sample[] =>
    samplesOf(state()?.slots ?? [], read);
  metrics.collect({
    name: "torii_concurrency_limit_keys",
    help: "Keys of a limit of what is in flight that are held here.",
    labels: ["limit"],
    type: "gauge",
    read: each(({ keys }) => keys),
  });
  metrics.collect({
    name: "torii_concurrency_limit_in_flight",
    help: "Requests in flight here that a limit of what is in flight counts.",
    labels: ["limit"],
    type: "gauge",
    read: each(({ inFlight }) => inFlight),
  });
  metrics.collect({
    name: "torii_concurrency_limit_slots",
    help: "Slots of a limit of what is in flight that are lent to this gateway, in use or free.",
    labels: ["limit"],
    type: "gauge",
    read: each(({ held }) => held),
  });
}
