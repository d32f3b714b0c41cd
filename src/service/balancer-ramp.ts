import type { Candidate } from "./balancer.ts";

/** The share that an endpoint begins with: enough to be warmed by. */
const FIRST_SHARE = 0.1;

/** How far endpoints that joined have come: each takes a share that rises to its whole weight. */
export interface Ramp<Item extends Candidate> {
  /** Those that were not in the set before join now; one whose pool is the same stayed. */
  update(endpoints: readonly Item[]): void;
  /** False once shares make no difference, so that nobody needs to ask for them. */
  isActive(): boolean;
  /**
   * The part of its weight that a member takes, over 0 to 1. The longest there has 1: shares are against each other,
   * so a set that came all at once takes everything at once.
   */
  shareOf(endpoint: Item): number;
}

/** `nowMs` is any steady clock; `slowStartMs` is over 0. */
export function createRamp<Item extends Candidate>(slowStartMs: number, nowMs: () => number): Ramp<Item> {
  let joinedAt = new Map<Item["pool"], number>();
  let firstAt = 0;
  let lastAt = 0;
  const progress = (at: number) => Math.min(1, Math.max(FIRST_SHARE, (nowMs() - at) / slowStartMs));
  return {
    update(endpoints) {
      const at = nowMs();
      const used = endpoints.filter(({ weight }) => weight > 0);
      joinedAt = new Map(used.map(({ pool }) => [pool, joinedAt.get(pool) ?? at]));
      firstAt = Infinity;
      lastAt = -Infinity;
      for (const each of joinedAt.values()) {
        firstAt = Math.min(firstAt, each);
        lastAt = Math.max(lastAt, each);
      }
    },
    isActive: () => lastAt > firstAt && nowMs() - lastAt < slowStartMs,
    shareOf: ({ pool }) => progress(joinedAt.get(pool) ?? firstAt) / progress(firstAt),
  };
}
