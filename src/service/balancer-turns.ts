import type { Candidate } from "./balancer.ts";

/** Longest turn sequence that is laid out ahead of time. */
const SEQUENCE_LIMIT = 4096;

/** One round of turns, in which each endpoint stands as often as its weight says and as evenly as may be (nginx's smooth weighted round robin). */
export function layOutTurns<Item extends Candidate>(endpoints: readonly Item[]): readonly Item[] {
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
