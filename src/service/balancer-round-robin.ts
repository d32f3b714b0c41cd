import type { Balancer, Candidate } from "./balancer.ts";
import type { Ramp } from "./balancer-ramp.ts";
import { layOutTurns } from "./balancer-turns.ts";

/** Smooth weighted round robin, its turns laid out when the set changes. */
export function roundRobin<Item extends Candidate>(ramp: Ramp<Item> | null): Balancer<Item> {
  let turns: readonly Item[] = [];
  let at = 0;
  let credits = new Map<Item["pool"], number>();
  const next = () => {
    at = at + 1 < turns.length ? at + 1 : 0;
    return turns[at] ?? null;
  };
  /** An endpoint that warms up saves its shares until they make a turn; the one that is longest there needs no saving. */
  const takes = (endpoint: Item, shares: Ramp<Item>) => {
    const saved = (credits.get(endpoint.pool) ?? 0) + shares.shareOf(endpoint);
    credits.set(endpoint.pool, saved >= 1 ? saved - 1 : saved);
    return saved >= 1;
  };
  return {
    pick() {
      let endpoint = next();
      if (ramp === null || ramp.step() < 0) return endpoint;
      for (let i = 1; i < turns.length && endpoint !== null && !takes(endpoint, ramp); i++) endpoint = next();
      return endpoint;
    },
    update(endpoints) {
      turns = layOutTurns(endpoints.filter(({ weight }) => weight > 0));
      at = turns.length - 1;
      credits = new Map();
    },
    observe: null,
  };
}
