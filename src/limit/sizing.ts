import type { Asked } from "./algorithm.ts";
import type { Bucket } from "./bucket.ts";
import type { Loan } from "./bucket-script.ts";
import type { Numbers } from "./numbers.ts";
import { BRIEF_GUARD_MS, BRIEF_MS, GUARD_MS, LEASE_MS } from "./units.ts";

/** Demand for which what is held may be kept while the store has little. */
const KEEP_SCARCE_MS = 400;
/** More is asked for when what is held lasts no longer than this. */
const AHEAD_MS = 8;
/** From this part of the limit on, demand may be more than it. */
const CROWDED = 0.9;
/** A key of which nothing was spent in so long is rare. */
const RARE_MS = 1500;
/** Requests that a question to the store should be asked for, where there is too little for all of them. */
const REQUESTS_PER_POLL = 60;

/** Time between two questions for a key that has too little: what comes meanwhile stays in the store, and fits there. */
export function pollMsOf({ demand, unit, needy }: Bucket, { rate, minPollMs, maxPollMs, turnPollMs }: Numbers): number {
  // Where there are few units, one for each who wants some is enough.
  const turnMs = (needy * unit) / rate;
  const most = turnMs <= turnPollMs ? Math.max(maxPollMs, turnMs) : maxPollMs;
  return Math.max(minPollMs, Math.min(most, (REQUESTS_PER_POLL * unit) / demand));
}

function isRich(bucket: Bucket, numbers: Numbers): boolean {
  return bucket.left * 4 > numbers.burst;
}

function isCrowded(bucket: Bucket, numbers: Numbers, demand: number): boolean {
  return demand * bucket.needy > numbers.rate * CROWDED;
}

/** Where there is plenty, more is asked for when half is spent: the store may be away from any moment on. */
export function lowOf(bucket: Bucket, numbers: Numbers, held: number): number {
  const hasPlenty = isRich(bucket, numbers) && !isCrowded(bucket, numbers, bucket.demand);
  return Math.min(bucket.demand * (hasPlenty ? numbers.richMs / 2 : AHEAD_MS), held / 2);
}

/**
 * As much as lasts for long, if all that is asked for can be had. Where more is asked for than comes, little: while the
 * store is full, nothing comes in beside what was lent, until it is told that it was spent.
 */
function wishOf(bucket: Bucket, numbers: Numbers, nowMs: number): number {
  const rush = bucket.rush(nowMs);
  if (!isRich(bucket, numbers)) return rush * numbers.scarceMs;
  if (isCrowded(bucket, numbers, rush)) return Math.max(rush * numbers.scarceMs, numbers.burst / 16);
  const wanted = rush * numbers.richMs - Math.max(0, bucket.held(nowMs));
  // What is lent of a key that is asked for once in a while would be kept up, and then given back: two calls more.
  return wanted < bucket.unit ? bucket.unit : Math.max(wanted, numbers.minChunk);
}

/**
 * How much to borrow, in whole requests: what the demand calls for, what waits at least,
 * and beyond that a quarter of the burst at most.
 */
export function wantOf(bucket: Bucket, numbers: Numbers, nowMs: number): number {
  const { unit, waiting } = bucket;
  const least = Math.ceil(Math.max(unit, waiting) / unit) * unit;
  const wish = Math.min(numbers.maxChunk, wishOf(bucket, numbers, nowMs));
  // Of a small burst what is lent to one is missed by the others: it is not rounded up.
  return Math.max(least, Math.floor(wish / unit) * unit);
}

/** Whether a key is asked for so seldom that to keep a lease of it costs more calls than it spares. */
export function isRare(bucket: Bucket, numbers: Numbers, nowMs: number): boolean {
  const { unit, waiting, spentAt } = bucket;
  if (!numbers.lendsBriefly || unit * 4 > numbers.burst || !isRich(bucket, numbers)) return false;
  return bucket.held(nowMs) === 0 && waiting <= unit && nowMs - spentAt >= RARE_MS;
}

/** What a bucket keeps without being asked for more. */
export function keepOf(bucket: Bucket, numbers: Numbers): number {
  const lastsMs = isRich(bucket, numbers) ? numbers.richMs : KEEP_SCARCE_MS;
  const keep = Math.ceil(bucket.demand * lastsMs) + numbers.minChunk;
  return numbers.keepsWhole ? Math.ceil(keep / bucket.unit) * bucket.unit : keep;
}

/** Takes in what the store lent. */
export function takeLoan(bucket: Bucket, loan: Loan, { asked, nowMs }: { asked: Asked; nowMs: number }): void {
  bucket.granted = loan.granted;
  // From before it was asked: so it ends earlier here than there.
  bucket.endsAt = asked.sentMs + (asked.isBrief ? BRIEF_MS - BRIEF_GUARD_MS : LEASE_MS - GUARD_MS);
  bucket.isBrief = asked.isBrief;
  bucket.left = loan.tokens;
  bucket.needy = loan.needy;
  bucket.held(nowMs);
}

/** Decides when more is asked for: soon before what is held runs out, but not while there is none. */
export function pace(
  bucket: Bucket,
  loan: Loan,
  { asked, nowMs, numbers }: { asked: Asked; nowMs: number; numbers: Numbers },
): void {
  const held = bucket.held(nowMs);
  const pollMs = pollMsOf(bucket, numbers);
  bucket.low = asked.isBrief ? 0 : lowOf(bucket, numbers, held);
  bucket.deniedUntil = 0;
  if (loan.waitMicros > 0) {
    bucket.deniedUntil = nowMs + Math.max(loan.waitMicros / 1000, pollMs);
    bucket.deniedNeed = asked.need;
  } else if (loan.tokens < bucket.unit && bucket.unit * 4 <= numbers.burst) {
    bucket.deniedUntil = nowMs + Math.max((bucket.unit - loan.tokens) / numbers.rate, pollMs);
    bucket.deniedNeed = Math.max(0, loan.tokens) + 1;
  } else if (
    isCrowded(bucket, numbers, bucket.demand) &&
    loan.tokens < numbers.rate * pollMs &&
    held < asked.held + asked.want
  ) {
    bucket.deniedUntil = nowMs + pollMs;
    bucket.deniedNeed = 0;
  }
}
