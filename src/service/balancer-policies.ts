import type { Balancer, Candidate } from "./balancer.ts";
import { consistentHash } from "./balancer-consistent-hash.ts";
import { leastRequest } from "./balancer-least-request.ts";
import { peakEwma } from "./balancer-peak-ewma.ts";
import { createRamp, type Ramp } from "./balancer-ramp.ts";
import { randomChoice } from "./balancer-random.ts";
import { roundRobin } from "./balancer-round-robin.ts";
import type { BalancerPolicy } from "./options.ts";

export interface BalancerDeps {
  /** Gives numbers in [0, 1). */
  readonly random: () => number;
  /** Milliseconds of any steady clock. */
  readonly nowMs: () => number;
  /** How long the share of an endpoint that joined rises; 0: it has its whole weight at once. */
  readonly slowStartMs: number;
}

/** A balancer without endpoints: `update` gives it some. */
export function createBalancer<Item extends Candidate>(policy: BalancerPolicy, deps: BalancerDeps): Balancer<Item> {
  const { random, nowMs, slowStartMs } = deps;
  const ramp = slowStartMs === 0 ? null : createRamp<Item>(slowStartMs, nowMs);
  const balancer = balancerOf(policy, { random, nowMs, ramp });
  if (ramp === null) return balancer;
  return {
    ...balancer,
    update(endpoints) {
      ramp.update(endpoints);
      balancer.update(endpoints);
    },
  };
}

interface PolicyDeps<Item extends Candidate> {
  readonly random: () => number;
  readonly nowMs: () => number;
  readonly ramp: Ramp<Item> | null;
}

function balancerOf<Item extends Candidate>(policy: BalancerPolicy, deps: PolicyDeps<Item>): Balancer<Item> {
  switch (policy) {
    case "least_request":
      return leastRequest(deps);
    case "round_robin":
      return roundRobin(deps.ramp);
    case "random":
      return randomChoice(deps);
    case "peak_ewma":
      return peakEwma(deps);
    case "consistent_hash":
      return consistentHash(deps);
  }
}
