import type { Bucket } from "./bucket.ts";
import type { Numbers } from "./numbers.ts";
import { GUARD_MS, HALVED_FROM, LEASE_MS, MICRO } from "./units.ts";

/** Of the rate, as a gateway's clock may be faster than the store's. */
const SLOWER = 0.999;

/** A gateway's own part of a limit, which it may spend since an instant. */
export interface Share {
  /** Millionths of the limit and of the burst. */
  readonly part: number;
  readonly sinceMs: number;
  /** Whether the store set it aside; else it starts empty. */
  readonly isFull: boolean;
}

function partOf(amount: number, part: number): number {
  return Math.floor((amount * part) / MICRO);
}

/** What a share has from the start: what the store sets aside for it. */
export function startOf({ burst }: Numbers, { part, isFull }: Share): number {
  return isFull && burst >= HALVED_FROM ? partOf(burst / 2, part) : 0;
}

/** Most that a share holds: its part of the burst, once all that was lent has ended; until then what it starts with. */
export function shareMost(numbers: Numbers, share: Share, nowMs: number): number {
  const isAlone = nowMs >= share.sinceMs + LEASE_MS + GUARD_MS;
  return isAlone ? partOf(numbers.burst, share.part) : startOf(numbers, share);
}

/** What a bucket's share holds now; afterwards the bucket is one that was touched. */
export function refillShare(bucket: Bucket, numbers: Numbers, share: Share, nowMs: number): number {
  const untouched = bucket.level === null;
  const level = bucket.level ?? startOf(numbers, share);
  const aloneMs = share.sinceMs + LEASE_MS + GUARD_MS;
  const fromMs = untouched ? share.sinceMs : bucket.levelAt;
  const add = (to: number, from: number): number =>
    (Math.max(0, to - from) * numbers.rate * SLOWER * share.part) / MICRO;
  const early = Math.max(level, Math.min(startOf(numbers, share), level + add(Math.min(nowMs, aloneMs), fromMs)));
  const late = early + add(nowMs, Math.max(fromMs, aloneMs));
  bucket.level = Math.min(late, partOf(numbers.burst, share.part));
  bucket.levelAt = nowMs;
  return bucket.level;
}

/** Milliseconds until a share holds so much; Infinity: it never will. */
export function shareWaitMs(bucket: Bucket, numbers: Numbers, share: Share, micro: number): number {
  if (micro > partOf(numbers.burst, share.part)) return Number.POSITIVE_INFINITY;
  return Math.ceil((micro - (bucket.level ?? 0)) / ((numbers.rate * SLOWER * share.part) / MICRO));
}
