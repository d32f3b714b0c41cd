import { expect } from "bun:test";
import type { Balancer } from "../../src/service/balancer.ts";
import { type BalancerDeps, createBalancer } from "../../src/service/balancer-policies.ts";
import type { BalancerPolicy } from "../../src/service/options.ts";
import { seededRandom } from "../support/chance.ts";

export interface Item {
  readonly id: string;
  readonly name: string;
  readonly weight: number;
  readonly pool: { inFlight: number };
}

export const PICKS = 100_000;

export const POLICIES: readonly BalancerPolicy[] = [
  "least_request",
  "round_robin",
  "random",
  "peak_ewma",
  "consistent_hash",
];

export function item(name: string, weight = 1, inFlight = 0): Item {
  return { id: name, name, weight, pool: { inFlight } };
}

/** So many of weight 1: `e0`, `e1` … */
export function items(count: number): readonly Item[] {
  return Array.from({ length: count }, (_, at) => item(`e${at}`));
}

/** Chance that repeats itself, and a clock that stands. */
export function deps(given: Partial<BalancerDeps> = {}): BalancerDeps {
  return { random: seededRandom(1), nowMs: () => 0, slowStartMs: 0, ...given };
}

/** A balancer with a set. */
export function balancer(
  policy: BalancerPolicy,
  set: readonly Item[],
  given: Partial<BalancerDeps> = {},
): Balancer<Item> {
  const made = createBalancer<Item>(policy, deps(given));
  made.update(set);
  return made;
}

export function names(from: Balancer<Item>, count: number): string {
  return Array.from({ length: count }, () => from.pick()?.name ?? "-").join("");
}

/** How often each was picked; `key` gives each pick its key. */
export function counts(from: Balancer<Item>, picks: number, key?: () => number): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let i = 0; i < picks; i++) {
    const name = from.pick(key?.())?.name ?? "-";
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
}

/**
 * Checks the counts of 100,000 picks against probabilities, five standard deviations wide: a right balancer fails once
 * in a million.
 */
export function expectShares(found: Readonly<Record<string, number>>, shares: Readonly<Record<string, number>>): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(shares).sort());
  for (const [name, share] of Object.entries(shares)) {
    const margin = 5 * Math.sqrt(PICKS * share * (1 - share));
    expect(Math.abs((found[name] ?? 0) - PICKS * share)).toBeLessThanOrEqual(margin);
  }
}
