import type { Candidate } from "./balancer.ts";
import type { Ramp } from "./balancer-ramp.ts";

/** Draws that are given up only if chance itself is broken: each succeeds with one in ten at the least. */
const TRIES = 200;

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
  const plain = () => current[index()] ?? null;
  return {
    draw: ramp === null ? plain : () => (ramp.isActive() ? thinned(plain, ramp, random) : plain()),
    update(endpoints) {
      current = endpoints.filter(({ weight }) => weight > 0);
      index = indexDrawer(
        current.map(({ weight }) => weight),
        random,
      );
    },
  };
}

/** Refuses a draw as often as the endpoint's share says: what is left is drawn by weight times share. */
function thinned<Item extends Candidate>(
  plain: () => Item | null,
  ramp: Ramp<Item>,
  random: () => number,
): Item | null {
  let drawn = plain();
  for (let i = 0; i < TRIES && drawn !== null && random() >= ramp.shareOf(drawn); i++) drawn = plain();
  return drawn;
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
