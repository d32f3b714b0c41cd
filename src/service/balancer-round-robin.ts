import type { Balancer, Candidate } from "./balancer.ts";
import { isAlike } from "./balancer-alike.ts";
import type { Ramp } from "./balancer-ramp.ts";
import { layOutTurns } from "./balancer-turns.ts";

/** Smooth weighted round robin, its turns laid out when the set changes. */
export function roundRobin<Item extends Candidate>(ramp: Ramp<Item> | null): Balancer<Item> {
  let set: readonly Item[] = [];
  let turns: readonly Item[] = [];
  let at = -1;
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
      const next = endpoints.filter(({ weight }) => weight > 0);
      if (isAlike(next, set)) {
        turns = sameTurns(turns, next);
      } else {
        turns = layOutTurns(next);
        // The first would be favoured by every change if turns began anew with each.
        at = at < 0 ? turns.length - 1 : at % Math.max(1, turns.length);
        credits = new Map();
      }
      set = next;
    },
    observe: null,
  };
}

/** The turns go on; what is told of endpoints beside their weights may be new. */
function sameTurns<Item extends Candidate>(turns: readonly Item[], set: readonly Item[]): readonly Item[] {
  const byPool = new Map(set.map((endpoint) => [endpoint.pool, endpoint]));
  return turns.map((endpoint) => byPool.get(endpoint.pool) ?? endpoint);
}
