import type { Candidate } from "./balancer.ts";
import { isAlike } from "./balancer-alike.ts";
import type { Ramp } from "./balancer-ramp.ts";

/** Draws endpoints by their weights, in the same time for 2 and for 1,000. */
export interface Drawer<Item extends Candidate> {
  /** Null when there is none, or all weights are 0. */
  draw(): Item | null;
  update(endpoints: readonly Item[]): void;
}

export interface DrawerDeps<Item extends Candidate> {
  /** Gives numbers in [0, 1). */
  readonly random: () => number;
  /** Null: everyone has its whole weight at once. Updated by whoever made it. */
  readonly ramp: Ramp<Item> | null;
}

export function createDrawer<Item extends Candidate>({ random, ramp }: DrawerDeps<Item>): Drawer<Item> {
  let current: readonly Item[] = [];
  let index: () => number = () => 0;
  let step = -1;
  const weigh = () => {
    step = ramp?.step() ?? -1;
    index = indexDrawer(
      current.map((endpoint) => endpoint.weight * (ramp?.shareOf(endpoint) ?? 1)),
      random,
    );
  };
  const drawn = () => current[index()] ?? null;
  const drawnNow = (shares: Ramp<Item>) => {
    if (shares.step() !== step) weigh();
    return drawn();
  };
  return {
    draw: ramp === null ? drawn : () => drawnNow(ramp),
    update(endpoints) {
      const next = endpoints.filter(({ weight }) => weight > 0);
      const isSame = isAlike(next, current);
      current = next;
      if (!isSame || ramp !== null) weigh();
    },
  };
}

/** Draws an index by weight (Vose's alias method). */
function indexDrawer(weights: readonly number[], random: () => number): () => number {
  const { length } = weights;
  if (weights.every((weight) => weight === weights[0])) return () => Math.floor(random() * length);
  const { chance, alias } = aliasTable(weights);
  return () => {
    const point = random() * length;
    const at = Math.floor(point);
    return point - at < (chance[at] ?? 1) ? at : (alias[at] ?? at);
  };
}

function aliasTable(weights: readonly number[]): { readonly chance: number[]; readonly alias: number[] } {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const chance = weights.map((weight) => (weight * weights.length) / total);
  const alias = weights.map((_weight, at) => at);
  const small = chance.flatMap((share, at) => (share < 1 ? [at] : []));
  const large = chance.flatMap((share, at) => (share < 1 ? [] : [at]));
  for (let low = small.pop(); low !== undefined; low = small.pop()) {
    const high = large.at(-1);
    if (high === undefined) break;
    alias[low] = high;
    chance[high] = (chance[high] ?? 0) - (1 - (chance[low] ?? 0));
    if ((chance[high] ?? 0) < 1) small.push(large.pop() ?? high);
  }
  return { chance, alias };
}
