import type { Balancer, Candidate } from "./balancer.ts";
import { createDrawer, type DrawerDeps } from "./balancer-draw.ts";

/**
 * Power of two choices: of two endpoints drawn by weight, the one with fewer requests in flight for its weight. With
 * nothing in flight the first draw decides, so that idle endpoints get their shares too.
 */
export function leastRequest<Item extends Candidate>(deps: DrawerDeps<Item>): Balancer<Item> {
  const { ramp } = deps;
  const { draw, update } = createDrawer(deps);
  const load = (endpoint: Item) => {
    const { pool, weight } = endpoint;
    return pool.inFlight / (ramp === null ? weight : weight * ramp.shareOf(endpoint));
  };
  return {
    pick() {
      const first = draw();
      const second = draw();
      if (first === null || second === null || first === second) return first;
      return load(second) < load(first) ? second : first;
    },
    update,
    observe: null,
  };
}
