import type { Chooser } from "../src/service/balancer.ts";
import { createBalancer } from "../src/service/balancer-policies.ts";
import { preferZone } from "../src/service/balancer-zone.ts";
import type { BalancerPolicy } from "../src/service/options.ts";

const PICKS = 200_000;
const ROUNDS = 15;
/** Longer than the measurement. */
const SLOW_START_MS = 600_000;

interface Item {
  readonly id: string;
  readonly weight: number;
  readonly zone: string;
  readonly pool: { inFlight: number };
}

const POLICIES: readonly BalancerPolicy[] = ["least_request", "round_robin", "random", "peak_ewma", "consistent_hash"];

/** Endpoints of weights 1 to 3, under a load of `inFlight` each or somewhat more. */
function endpoints(count: number, inFlight: number): readonly Item[] {
  const load = (i: number) => (inFlight === 0 ? 0 : inFlight + (i % 5));
  return Array.from({ length: count }, (_, i) => ({
    id: `10.0.${i >> 8}.${i & 255}:8080`,
    weight: 1 + (i % 3),
    zone: i % 2 === 0 ? "own" : "other",
    pool: { inFlight: load(i) },
  }));
}

const CHANCE = { random: Math.random, nowMs: () => performance.now() };

/** The least of several rounds: what else the machine does only adds. */
function least(run: () => number): number {
  return Math.min(...Array.from({ length: ROUNDS }, run));
}

function nanosPerPick(policy: BalancerPolicy, items: readonly Item[], slowStartMs = 0): number {
  const balancer = createBalancer<Item>(policy, { ...CHANCE, slowStartMs });
  // Where shares rise, all but the first have just joined: the dearest case.
  if (slowStartMs > 0) balancer.update(items.slice(0, 1));
  balancer.update(items);
  return nanosOf(balancer, items);
}

/** The same where a half of the gateway's zone is out, so that each pick is of two zones. */
function nanosPerZonedPick(policy: BalancerPolicy, items: readonly Item[], slowStartMs = 0): number {
  const balancer = preferZone<Item>("own", policy, { ...CHANCE, slowStartMs });
  const update = (all: readonly Item[]) =>
    balancer.update({ all, used: all.filter((_, i) => all.length < 4 || i % 4 !== 0), isPanic: false });
  if (slowStartMs > 0) update(items.slice(0, 2));
  update(items);
  return nanosOf(balancer, items);
}

function nanosOf(balancer: Chooser<Item>, items: readonly Item[]): number {
  for (const item of items) balancer.observe?.(item, 1 + (item.weight % 7));
  let key = 0;
  return least(() => {
    const startedAt = Bun.nanoseconds();
    for (let i = 0; i < PICKS; i++) {
      key = (key + 0x9e3779b9) >>> 0;
      balancer.pick(key);
    }
    return (Bun.nanoseconds() - startedAt) / PICKS;
  });
}

/** What a changed set costs, once. */
function updateMs(policy: BalancerPolicy, items: readonly Item[]): number {
  const balancer = createBalancer<Item>(policy, { random: Math.random, nowMs: () => 0, slowStartMs: 0 });
  return least(() => {
    balancer.update(items.slice(1));
    const startedAt = Bun.nanoseconds();
    balancer.update(items);
    return (Bun.nanoseconds() - startedAt) / 1e6;
  });
}

console.log(
  "policy            endpoints   idle ns   busy ns   slow start ns   zone ns   zone, slow start ns   update ms",
);
for (const policy of POLICIES) {
  for (const count of [2, 20, 1000]) {
    const idle = nanosPerPick(policy, endpoints(count, 0));
    const busy = nanosPerPick(policy, endpoints(count, 20));
    const rising = nanosPerPick(policy, endpoints(count, 20), SLOW_START_MS);
    const update = updateMs(policy, endpoints(count, 0));
    const zone = nanosPerZonedPick(policy, endpoints(count, 20));
    const zoneRising = nanosPerZonedPick(policy, endpoints(count, 20), SLOW_START_MS);
    const picks = [idle, busy, rising, zone, zoneRising].map((ns, i) =>
      ns.toFixed(0).padStart([9, 9, 15, 9, 21][i] ?? 9),
    );
    const name = `${policy.padEnd(16)} ${String(count).padStart(10)}`;
    console.log(`${name} ${picks.join(" ")} ${update.toFixed(2).padStart(11)}`);
  }
}
