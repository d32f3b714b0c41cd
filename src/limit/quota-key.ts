import type { Period } from "./quota-period.ts";

/** Demand is looked at over so many milliseconds at least, and counts for about the second number. */
const WINDOW_MS = 100;
const MEMORY_MS = 1000;

/** What a gateway holds of one key of a quota: amounts in millionths, times of its own clock. */
export class QuotaKey {
  readonly key: string;
  readonly storeKey: string;
  /** The lease's field in the store; another in every period. */
  field: string;
  /** All that this lease was granted, and all that was spent of it. */
  granted = 0;
  spent = 0;
  /** What the store takes for spent of it, as it told last. */
  known = 0;
  /** What is held is void from then on. */
  endsAt = 0;
  /** In which the lease is; null: in none yet, or the window rolls. */
  period: Period | null = null;
  /** By then the period is over for certain. */
  isOverAt = Number.POSITIVE_INFINITY;
  /** Below so much more is asked for. */
  low = 0;
  sequence = 0;
  call: Promise<void> | null = null;
  calledAt = 0;
  deniedUntil = 0;
  deniedNeed = 0;
  /** When what was refused may be had, if nobody gives anything back. */
  retryAt = 0;
  failedUntil = 0;
  /** What the store was last seen to have left. */
  left: number;
  /** When what is used has come back. */
  resetAt = 0;
  /** In which steps it is asked for. */
  unit = 1_000_000;
  isWatched = false;
  isDropped = false;
  idleSince: number;
  /** What was asked for since the last look, and millionths for each millisecond. */
  used = 0;
  demand = 0;
  #measuredAt: number;

  constructor(key: string, storeKey: string, made: { field: string; limit: number; nowMs: number }) {
    this.key = key;
    this.storeKey = storeKey;
    this.field = made.field;
    this.left = made.limit;
    this.idleSince = made.nowMs;
    this.#measuredAt = made.nowMs;
  }

  /** What can be spent now; below zero: what is owed. */
  held(nowMs: number): number {
    return nowMs >= this.endsAt ? Math.min(0, this.granted - this.spent) : this.granted - this.spent;
  }

  /** Takes in what was asked for since the last look. */
  measure(nowMs: number): void {
    const elapsed = nowMs - this.#measuredAt;
    if (elapsed < WINDOW_MS) return;
    this.demand += (this.used / elapsed - this.demand) * Math.min(1, elapsed / MEMORY_MS);
    if (this.used > 0) this.idleSince = nowMs;
    this.used = 0;
    this.#measuredAt = nowMs;
  }

  /** The demand as far as it is known: a rush is seen as it begins, and one request alone is none. */
  rush(nowMs: number): number {
    const used = Math.max(0, this.used - this.unit);
    return Math.max(this.demand, used / Math.max(WINDOW_MS, nowMs - this.#measuredAt));
  }

  /** Begins anew, with a lease that the store does not know. What was owed stays owed where it says so. */
  restart(field: string, owed: number): void {
    this.field = field;
    this.granted = 0;
    this.spent = owed;
    this.known = 0;
    this.endsAt = 0;
    this.isOverAt = Number.POSITIVE_INFINITY;
    this.deniedUntil = 0;
  }
}
