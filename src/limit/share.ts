import type { Bucket } from "./bucket.ts";
import type { Numbers } from "./numbers.ts";
import { GUARD_MS, HALVED_FROM, LEASE_MS, MICRO } from "./units.ts";

/** Of the rate, as a gateway's clock may be faster than the store's. */
const SLOWER = 0.999;

/** A gateway's own part of a limit, which is empty at an instant and fills up from then on. */
export interface Share {
  /** Millionths of the limit and of the burst. */
  readonly part: number;
  readonly sinceMs: number;
}

function partOf(amount: number, part: number): number {
  return Math.floor((amount * part) / MICRO);
}

/** Most that a share holds while leases of before it may still be spent. */
function earlyMost({ burst }: Numbers, part: number): number {
  return burst >= HALVED_FROM ? partOf(burst / 2, part) : 0;
}

/** What a bucket's share holds now. */
export function refillShare(bucket: Bucket, numbers: Numbers, { part, sinceMs }: Share, nowMs: number): number {
  const isSame = bucket.levelSince === sinceMs;
  const level = isSame ? bucket.level : 0;
  const fromMs = isSame ? bucket.levelAt : sinceMs;
  const aloneMs = sinceMs + LEASE_MS + GUARD_MS;
  const more = (to: number, from: number): number => (Math.max(0, to - from) * numbers.rate * SLOWER * part) / MICRO;
  const early = Math.min(earlyMost(numbers, part), level + more(Math.min(nowMs, aloneMs), fromMs));
  const late = Math.max(level, early) + more(nowMs, Math.max(fromMs, aloneMs));
  bucket.level = Math.min(late, partOf(numbers.burst, part));
  bucket.levelAt = nowMs;
  bucket.levelSince = sinceMs;
  return bucket.level;
}

/** Whether a bucket's share is as if it had never been touched. */
export function isShareFull(bucket: Bucket, numbers: Numbers, share: Share, nowMs: number): boolean {
  if (bucket.levelSince !== share.sinceMs) return true;
  return refillShare(bucket, numbers, share, nowMs) >= partOf(numbers.burst, share.part);
}

/** Milliseconds until a share holds so much; Infinity: it never will. */
export function shareWaitMs(bucket: Bucket, numbers: Numbers, share: Share, micro: number): number {
  if (micro > partOf(numbers.burst, share.part)) return Number.POSITIVE_INFINITY;
  return Math.ceil((micro - bucket.level) / ((numbers.rate * SLOWER * share.part) / MICRO));
}
