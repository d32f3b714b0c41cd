import type { Balancer, Candidate } from "./balancer.ts";
import { createDrawer, type DrawerDeps } from "./balancer-draw.ts";

/** Draws by weight, whatever the load. */
export function randomChoice<Item extends Candidate>(deps: DrawerDeps<Item>): Balancer<Item> {
  const { draw, update } = createDrawer(deps);
  return { pick: draw, update, observe: null };
}
