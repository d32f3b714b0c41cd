import type { KeyRecord } from "./records.ts";

/** What may be admitted: never more than `burst + perMs * t` in any interval t. */
export interface Bound {
  readonly burst: number;
  /** Per millisecond. */
  readonly perMs: number;
}

/** A part of the time, in milliseconds of the machine's clock; its end is not in it. */
export interface Span {
  readonly fromAt: number;
  readonly toAt: number;
}

/** All of the time. */
export const ALWAYS: Span = { fromAt: 0, toAt: Number.POSITIVE_INFINITY };

/**
 * The most that any interval holds beyond the bound; at or below 0 the bound held, and minus the burst when there is
 * nothing. Times in order. One pass: for each last admission, the first one that is the worst together with it.
 */
export function worstExcess(admittedAt: Float64Array, { burst, perMs }: Bound): number {
  let worst = 0;
  let first = Number.NEGATIVE_INFINITY;
  const [startAt = 0] = admittedAt;
  for (let number = 0; number < admittedAt.length; number++) {
    const grown = perMs * ((admittedAt[number] ?? 0) - startAt);
    first = Math.max(first, grown - number);
    worst = Math.max(worst, number + 1 - grown + first);
  }
  return worst - burst;
}

/** How many of these requests a single bucket that knows all would admit in that part of the time. */
export function admissible(cameAt: Float64Array, { burst, perMs }: Bound, { fromAt, toAt } = ALWAYS): number {
  let tokens = burst;
  let lastAt = cameAt[0] ?? 0;
  let admitted = 0;
  for (const atMs of cameAt) {
    tokens = Math.min(burst, tokens + (atMs - lastAt) * perMs);
    lastAt = atMs;
    if (tokens < 1) continue;
    tokens -= 1;
    if (atMs >= fromAt && atMs < toAt) admitted += 1;
  }
  return admitted;
}

/** What became of all keys together. */
export interface Judgement {
  readonly offered: number;
  readonly admitted: number;
  readonly admissible: number;
  /** Of the worst key, over all of the time. */
  readonly worstExcess: number;
}

function within(times: Float64Array, { fromAt, toAt }: Span): number {
  let count = 0;
  for (const atMs of times) if (atMs >= fromAt && atMs < toAt) count += 1;
  return count;
}

/** Judges the requests of all keys, each by the same bound; counts only those of that part of the time. */
export function judge(keys: Iterable<KeyRecord>, bound: Bound, span: Span = ALWAYS): Judgement {
  const sum = { offered: 0, admitted: 0, admissible: 0, worstExcess: -bound.burst };
  for (const { cameAt, admittedAt } of keys) {
    sum.offered += within(cameAt, span);
    sum.admitted += within(admittedAt, span);
    sum.admissible += admissible(cameAt, bound, span);
    sum.worstExcess = Math.max(sum.worstExcess, worstExcess(admittedAt, bound));
  }
  return sum;
}
