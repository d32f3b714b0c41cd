import type { Candidate, Chooser } from "./balancer.ts";
import { type BalancerDeps, createBalancer } from "./balancer-policies.ts";
import { createRamp, type Ramp } from "./balancer-ramp.ts";
import { mixBits } from "./hash.ts";
import type { BalancerPolicy } from "./options.ts";
import { type Capacity, ownShare } from "./zone-share.ts";

/** Which zone a key goes to must not depend on where on a ring it stands. */
const SALT = 0x5bd1e995;

export interface ZonedCandidate extends Candidate {
  readonly zone: string | null;
}

/** Where a service's endpoints stand. */
export interface Standing<Item> {
  /** What the registry tells. */
  readonly all: readonly Item[];
  /** Those that may be chosen. */
  readonly used: readonly Item[];
  /** True where `used` are all because too few are available. */
  readonly isPanic: boolean;
}

export interface ZoneBalancer<Item extends ZonedCandidate> extends Chooser<Item> {
  /** The part of the requests that stays in the zone now, 0 to 1. */
  readonly share: number;
  update(standing: Standing<Item>): void;
}

/**
 * A policy among the endpoints of `zone`, and one among all others; `ownShare` of the requests go to the former. In a
 * panic zones count for nothing. A key keeps to its zone as long as the share stays: of keys only those move that a
 * change of it takes along.
 */
export function preferZone<Item extends ZonedCandidate>(
  zone: string,
  policy: BalancerPolicy,
  deps: BalancerDeps,
): ZoneBalancer<Item> {
  const { random, nowMs, slowStartMs } = deps;
  const own = createBalancer<Item>(policy, deps);
  const others = createBalancer<Item>(policy, deps);
  const ramp = slowStartMs === 0 ? null : createRamp<Item>(slowStartMs, nowMs);
  const isKeyed = policy === "consistent_hash";
  let present: Standing<Item> = { all: [], used: [], isPanic: false };
  let share = 0;
  let step = -1;
  const weigh = () => {
    step = ramp?.step() ?? -1;
    share = shareOf(zone, present, ramp);
  };
  return {
    get share() {
      if (ramp !== null && ramp.step() !== step) weigh();
      return share;
    },
    pick(key) {
      if (ramp !== null && ramp.step() !== step) weigh();
      if (share <= 0) return others.pick(key);
      if (share >= 1) return own.pick(key);
      const point = isKeyed && key !== undefined ? mixBits(key ^ SALT) / 2 ** 32 : random();
      return (point < share ? own : others).pick(key);
    },
    update(standing) {
      present = standing;
      ramp?.update(standing.used);
      own.update(standing.used.filter((endpoint) => endpoint.zone === zone));
      others.update(standing.used.filter((endpoint) => endpoint.zone !== zone));
      weigh();
    },
    observe: observer(zone, own, others),
  };
}

function observer<Item extends ZonedCandidate>(zone: string, own: Chooser<Item>, others: Chooser<Item>) {
  if (own.observe === null) return null;
  return (endpoint: Item, responseMs: number) =>
    (endpoint.zone === zone ? own : others).observe?.(endpoint, responseMs);
}

function shareOf<Item extends ZonedCandidate>(
  zone: string,
  { all, used, isPanic }: Standing<Item>,
  ramp: Ramp<Item> | null,
): number {
  // One that warms up is not there whole yet: it would get all at once that its zone is meant to take.
  const weightOf = (endpoint: Item) => endpoint.weight * (ramp?.shareOf(endpoint) ?? 1);
  const [here, there] = capacities(zone, { all, used }, weightOf);
  if (isPanic) return here.available === 0 ? 0 : here.available / (here.available + there.available);
  return ownShare(here, there);
}

/** Of the zone, and of all others. */
export function capacities<Item extends ZonedCandidate>(
  zone: string,
  { all, used }: Pick<Standing<Item>, "all" | "used">,
  weightOf: (endpoint: Item) => number = ({ weight }) => weight,
): readonly [Capacity, Capacity] {
  const here = { available: 0, total: 0 };
  const there = { available: 0, total: 0 };
  for (const endpoint of all) (endpoint.zone === zone ? here : there).total += endpoint.weight;
  for (const endpoint of used) (endpoint.zone === zone ? here : there).available += weightOf(endpoint);
  return [here, there];
}
