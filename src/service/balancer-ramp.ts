import type { Candidate } from "./balancer.ts";

/** The share that an endpoint begins with: enough to be warmed by. */
const FIRST_SHARE = 0.1;
/** Shares rise in so many steps, for what is laid out by them is dear. */
const STEPS = 100;

/** How far endpoints that joined have come: each takes a share that rises to its whole weight. */
export interface Ramp<Item extends Candidate> {
  /** Those that were not in the set before join now; one whose pool is the same stayed. */
  update(endpoints: readonly Item[]): void;
  /** Brings the shares up to the present; the number changes when they do, and is -1 once they make no difference. */
  step(): number;
  /**
   * The part of its weight that a member takes, over 0 to 1, as of the last `step`. The longest there has 1: shares are
   * against each other, so a set that came all at once takes everything at once.
   */
  shareOf(endpoint: Item): number;
}

/** `nowMs` is any steady clock; `slowStartMs` is over 0. */
export function createRamp<Item extends Candidate>(slowStartMs: number, nowMs: () => number): Ramp<Item> {
  let joinedAt = new Map<Item["pool"], number>();
  let shares = new Map<Item["pool"], number>();
  let firstAt = 0;
  let lastAt = 0;
  let step = -1;
  const weigh = (at: number) => {
    const progress = (since: number) => Math.min(1, Math.max(FIRST_SHARE, (at - since) / slowStartMs));
    const most = progress(firstAt);
    shares = new Map([...joinedAt].map(([pool, since]) => [pool, progress(since) / most]));
  };
  const stepAt = (at: number) => {
    const isRising = lastAt > firstAt && at - lastAt < slowStartMs;
    return isRising ? Math.floor(((at - lastAt) * STEPS) / slowStartMs) : -1;
  };
  return {
    update(endpoints) {
      const at = nowMs();
      const used = endpoints.filter(({ weight }) => weight > 0);
      joinedAt = new Map(used.map(({ pool }) => [pool, joinedAt.get(pool) ?? at]));
      [firstAt, lastAt] = bounds([...joinedAt.values()]);
      step = stepAt(at);
      weigh(at);
    },
    step() {
      // Nothing rises but what an update told of.
      if (step < 0) return step;
      const at = nowMs();
      const present = stepAt(at);
      if (present !== step) {
        step = present;
        weigh(at);
      }
      return step;
    },
    shareOf: ({ pool }) => shares.get(pool) ?? 1,
  };
}

function bounds(times: readonly number[]): readonly [number, number] {
  let [first, last] = [Infinity, -Infinity];
  for (const time of times) {
    first = Math.min(first, time);
    last = Math.max(last, time);
  }
  return [first, last];
}
