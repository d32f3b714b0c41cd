import type { Priority, QueueOptions } from "./concurrency-options.ts";

/** What waits in a queue; in one at most, and where is the queue's to write. */
export interface QueueItem<Self> {
  readonly priority: Priority;
  older: Self | null;
  newer: Self | null;
}

/** From the first to the last. */
export const PRIORITIES: readonly Priority[] = ["high", "normal", "low"];

/** One of so many places and of so many turns is not for `high`: it alone must not keep `normal` out. */
const SHARE = 8;

/** Those of one priority, by age. */
class Lane<Item extends QueueItem<Item>> {
  count = 0;
  oldest: Item | null = null;
  newest: Item | null = null;
  /** Since when it has not been empty. */
  busySince = 0;

  add(item: Item, nowMs: number): void {
    if (this.count++ === 0) this.busySince = nowMs;
    item.older = this.newest;
    item.newer = null;
    if (this.newest === null) this.oldest = item;
    else this.newest.newer = item;
    this.newest = item;
  }

  remove(item: Item): void {
    this.count--;
    if (item.older === null) this.oldest = item.newer;
    else item.older.newer = item.newer;
    if (item.newer === null) this.newest = item.older;
    else item.newer.older = item.older;
    item.older = null;
    item.newer = null;
  }
}

/**
 * A bounded queue in which `high` is before `normal` before `low`. Of one priority the oldest is first, until some have
 * waited for a whole `timeoutMs` on end: then the newest is, as the oldest are about to give up anyway. Adding, taking
 * and removing cost the same however many wait.
 */
export class ConcurrencyQueue<Item extends QueueItem<Item>> {
  size = 0;
  readonly #options: QueueOptions;
  readonly #nowMs: () => number;
  readonly #lanes = { high: new Lane<Item>(), normal: new Lane<Item>(), low: new Lane<Item>() };
  readonly #mostHigh: number;
  #turns = 0;

  constructor(options: QueueOptions, nowMs: () => number) {
    this.#options = options;
    this.#nowMs = nowMs;
    this.#mostHigh = options.size - (options.size > 1 ? Math.ceil(options.size / SHARE) : 0);
  }

  /** How many of this priority wait. */
  count(priority: Priority): number {
    return this.#lanes[priority].count;
  }

  /** Returns who has no place: nobody, the youngest of a lower priority, or the item itself, which is not added then. */
  add(item: Item): Item | null {
    const { high } = this.#lanes;
    if (item.priority === "high" && high.count >= this.#mostHigh) return item;
    const displaced = this.size < this.#options.size ? null : this.#youngestBelow(item.priority);
    if (displaced === null && this.size >= this.#options.size) return item;
    if (displaced !== null) this.remove(displaced);
    this.#lanes[item.priority].add(item, this.#nowMs());
    this.size++;
    return displaced;
  }

  /** Removes whose turn it is; null when nobody waits. */
  take(): Item | null {
    const lane = this.#next();
    const isStanding = this.#nowMs() - lane.busySince >= this.#options.timeoutMs;
    const item = isStanding ? lane.newest : lane.oldest;
    if (item !== null) this.remove(item);
    return item;
  }

  /** Removes one that waits. */
  remove(item: Item): void {
    this.#lanes[item.priority].remove(item);
    this.size--;
  }

  #next(): Lane<Item> {
    const { high, normal, low } = this.#lanes;
    if (high.count === 0) return normal.count === 0 ? low : normal;
    if (normal.count === 0) return high;
    this.#turns = (this.#turns + 1) % SHARE;
    return this.#turns === 0 ? normal : high;
  }

  #youngestBelow(priority: Priority): Item | null {
    for (let at = PRIORITIES.length - 1; PRIORITIES[at] !== priority && at > 0; at--) {
      const youngest = this.#lanes[PRIORITIES[at] ?? "low"].newest;
      if (youngest !== null) return youngest;
    }
    return null;
  }
}
