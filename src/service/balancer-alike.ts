import type { Candidate } from "./balancer.ts";

/** Whether two sets have the same endpoints with the same weights, in the same order: sets are told anew without a change too. */
export function isAlike(next: readonly Candidate[], present: readonly Candidate[]): boolean {
  if (next.length !== present.length) return false;
  return next.every(({ pool, weight }, at) => pool === present[at]?.pool && weight === present[at]?.weight);
}
