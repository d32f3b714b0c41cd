import { MICRO } from "./units.ts";
import type { Trail } from "./window-trail.ts";

/** Demand is looked at over so many milliseconds at least. */
const WINDOW_MS = 50;
/** How long the demand of before counts. */
const MEMORY_MS = 400;

/** What a gateway holds of one key: amounts in millionths, times of its own clock. */
export class Bucket {
  readonly key: string;
  readonly storeKey: string;
  /** The lease's field in the store; another after the sums were begun anew. */
  field: string;
  /** All that this lease was granted and all that was spent of it: their difference is what is held, or owed. */
  granted = 0;
  spent = 0;
  /** When something was spent last. */
  spentAt = 0;
  /** The lease is one that counts as spent soon: there is nothing to report of it. */
  isBrief = false;
  /** When what is held is void. */
  endsAt = 0;
  /** Below so much more is asked for. */
  low = 0;
  /** What was spent when the store was last told, so that no more is given back than it does not know of. */
  reported = 0;
  sequence = 0;
  call: Promise<void> | null = null;
  /** The call under way has taken longer than a request waits: none waits for it any more. */
  isLate = false;
  /** What requests that wait for a call ask for. */
  waiting = 0;
  /** Whoever needs so much or more need not ask until then. */
  deniedUntil = 0;
  deniedNeed = 0;
  /** When what was refused may be had, if nobody gives anything back: of windows only, where more is asked before. */
  retryAt = 0;
  /** Of windows: when all that is counted now is counted no more. */
  resetAt = 0;
  /** The last call failed: the store is not asked until then. */
  failedUntil = 0;
  /** What the store was last seen to have. */
  left: number;
  /** Gateways that want of it, this one included, as the store last saw it. */
  needy = 1;
  /** In which steps it is asked for. */
  unit = MICRO;
  /** What was there of the own share, at what time, and since when it is that share: another one starts anew. */
  level = 0;
  levelAt = 0;
  levelSince = Number.NaN;
  /** Of windows: what was spent of the own share, as pairs of until when it counts and how much. */
  spends: number[] | null = null;
  /** Of windows that slide: when what was spent since the last report, the latest first. */
  trail: Trail | null = null;
  /** In a slot of the sweep. */
  isWatched = false;
  isDropped = false;
  /** Since when nobody asked, as the sweep saw it. */
  idleSince: number;
  /** What was asked for since the last look. */
  used = 0;
  /** Millionths for each millisecond. */
  demand = 0;
  demandAt: number;

  constructor(key: string, storeKey: string, made: { field: string; burst: number; nowMs: number }) {
    this.key = key;
    this.storeKey = storeKey;
    this.field = made.field;
    this.left = made.burst;
    this.demandAt = made.nowMs;
    this.idleSince = made.nowMs;
  }

  /** What can be spent now; below zero: what is owed. */
  held(nowMs: number): number {
    if (nowMs >= this.endsAt && this.granted > this.spent) this.granted = this.spent;
    return this.granted - this.spent;
  }

  /** Takes in what was asked for since the last look. */
  measure(nowMs: number): void {
    const elapsed = nowMs - this.demandAt;
    if (elapsed < WINDOW_MS) return;
    this.demand += (this.used / elapsed - this.demand) * Math.min(1, elapsed / MEMORY_MS);
    if (this.used > 0) this.idleSince = nowMs;
    this.used = 0;
    this.demandAt = nowMs;
  }

  /** Millionths for each millisecond that are asked for now, as far as it is known: a rush is seen as it begins. */
  rush(nowMs: number): number {
    // One request alone is no rush.
    const used = Math.max(0, this.used - this.unit);
    return Math.max(this.demand, used / Math.max(WINDOW_MS, nowMs - this.demandAt));
  }

  /** Begins the sums anew, before they are too large to be exact. What is held is left to its end; debts stay. */
  restart(field: string): void {
    const owed = Math.max(0, this.spent - this.granted);
    this.field = field;
    this.granted = 0;
    this.spent = owed;
    this.reported = owed;
    this.endsAt = 0;
  }
}
