import type { BalancerPolicy } from "./options.ts";

/** What a balancer needs to know of an endpoint. */
export interface Candidate {
  readonly weight: number;
  readonly pool: { readonly inFlight: number };
}

/** Chooses an endpoint for an attempt. */
export interface Balancer<Item extends Candidate> {
  /** Null when there is none, or all weights are 0. Costs the same for 2 endpoints and for 1,000. */
  pick(): Item | null;
  /** Puts another set in the place of the present one. */
  update(endpoints: readonly Item[]): void;
}

/** `random` gives numbers in [0, 1). */
export function createBalancer<Item extends Candidate>(policy: BalancerPolicy, random: () => number): Balancer<Item> {
  return policy === "round_robin" ? roundRobin() : leastRequest(random);
}

/**
 * Power of two choices: of two endpoints drawn by weight, the one with fewer requests in flight for its weight. With
 * nothing in flight the first draw decides, so that idle endpoints get their shares too.
 */
function leastRequest<Item extends Candidate>(random: () => number): Balancer<Item> {
  let current: readonly Item[] = [];
  let draw: () => number = () => 0;
  return {
    pick() {
      if (current.length < 2) return current[0] ?? null;
      const first = current[draw()];
      const second = current[draw()];
      if (first === undefined || second === undefined) return null;
      return load(second) < load(first) ? second : first;
    },
    update(endpoints) {
      current = endpoints.filter((endpoint) => endpoint.weight > 0);
      draw = drawer(
        current.map(({ weight }) => weight),
        random,
      );
    },
  };
}

function load({ pool, weight }: Candidate): number {
  return pool.inFlight / weight;
}

/** Draws an index by weight, in the same time for 2 and for 1,000 (Vose's alias method). */
function drawer(weights: readonly number[], random: () => number): () => number {
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

/** Longest turn sequence that is laid out ahead of time. */
const SEQUENCE_LIMIT = 4096;

/** Smooth weighted round robin, its turns laid out when the set changes. */
function roundRobin<Item extends Candidate>(): Balancer<Item> {
  let sequence: readonly Item[] = [];
  let turn = 0;
  return {
    pick() {
      if (sequence.length === 0) return null;
      turn = (turn + 1) % sequence.length;
      return sequence[turn] ?? null;
    },
    update(endpoints) {
      sequence = layOut(endpoints.filter((endpoint) => endpoint.weight > 0));
      turn = sequence.length - 1;
    },
  };
}

function layOut<Item extends Candidate>(endpoints: readonly Item[]): readonly Item[] {
  const weights = shares(endpoints.map((endpoint) => endpoint.weight));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === endpoints.length) return endpoints;
  const credit = new Array<number>(endpoints.length).fill(0);
  const sequence: Item[] = [];
  for (let i = 0; i < total; i++) {
    const best = richest(credit, weights);
    credit[best] = (credit[best] ?? 0) - total;
    const item = endpoints[best];
    if (item !== undefined) sequence.push(item);
  }
  return sequence;
}

/** Gives every endpoint its weight as credit and names the one that then has most. */
function richest(credit: number[], weights: readonly number[]): number {
  let best = 0;
  for (let i = 0; i < credit.length; i++) {
    credit[i] = (credit[i] ?? 0) + (weights[i] ?? 0);
    if ((credit[i] ?? 0) > (credit[best] ?? 0)) best = i;
  }
  return best;
}

/** Weights as small whole numbers in the same proportion; within the bound on the sequence's length. */
function shares(weights: readonly number[]): number[] {
  const smallest = Math.min(...weights);
  // Fractions keep two digits of the smallest.
  const whole = weights.every(Number.isInteger)
    ? [...weights]
    : weights.map((weight) => Math.round((100 * weight) / smallest));
  const divisor = whole.reduce(gcd, 0);
  const reduced = whole.map((weight) => weight / Math.max(1, divisor));
  const total = reduced.reduce((sum, weight) => sum + weight, 0);
  const limit = Math.max(SEQUENCE_LIMIT, weights.length);
  return total <= limit ? reduced : reduced.map((weight) => Math.max(1, Math.round((weight * limit) / total)));
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
