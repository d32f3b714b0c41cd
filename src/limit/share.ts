import type { Bucket } from "./bucket.ts";
import type { Numbers } from "./numbers.ts";
import { MICRO } from "./units.ts";

/** Of the rate, as a gateway's clock may be faster than the store's. */
const SLOWER = 0.999;

/** A gateway's own part of a limit, which it may spend since an instant. */
export interface Share {
  /** Millionths of the limit and of the burst. */
  readonly part: number;
  readonly sinceMs: number;
  /** Whether the store gave it up full; else it starts empty. */
  readonly isFull: boolean;
}

/** Most that a share holds. */
export function shareBurst({ burst }: Numbers, part: number): number {
  return Math.floor((burst * part) / MICRO);
}

/** What a bucket's share holds now; afterwards the bucket is one that was touched. */
export function refillShare(bucket: Bucket, numbers: Numbers, { part, sinceMs, isFull }: Share, nowMs: number): number {
  const most = shareBurst(numbers, part);
  const level = bucket.level ?? (isFull ? most : 0);
  const sinceAt = bucket.level === null ? sinceMs : bucket.levelAt;
  bucket.level = Math.min(most, level + (Math.max(0, nowMs - sinceAt) * numbers.rate * SLOWER * part) / MICRO);
  bucket.levelAt = nowMs;
  return bucket.level;
}

/** Milliseconds until a share holds so much; Infinity: it never will. */
export function shareWaitMs(bucket: Bucket, numbers: Numbers, part: number, micro: number): number {
  if (micro > shareBurst(numbers, part)) return Number.POSITIVE_INFINITY;
  return Math.ceil((micro - (bucket.level ?? 0)) / ((numbers.rate * SLOWER * part) / MICRO));
}
