/** How long what was in use counts as what will be. */
const PEAK_MS = 1000;

/** What a gateway has in flight and holds for one key; times of its own clock. */
export class SlotKey {
  readonly key: string;
  readonly storeKey: string;
  /** Requests in flight: those that were let in without a slot as well. */
  used = 0;
  /** Slots that the store lent: valid until `endsAt`. */
  held = 0;
  endsAt = 0;
  /** Most that should be held, as others are in need; Infinity: none is. */
  fair = Number.POSITIVE_INFINITY;
  /** What nobody holds, as the store last told. */
  free: number;
  call: Promise<void> | null = null;
  /** Requests that wait for the store. */
  waiting = 0;
  deniedUntil = 0;
  /** When one of more than a fair part was given back last. */
  shedAt = 0;
  failedUntil = 0;
  /** When more was wanted than was held last. */
  wantedAt = Number.NEGATIVE_INFINITY;
  isWatched = false;
  isDropped = false;
  /** Most in use of late, and before. */
  #recent = 0;
  #peak = 0;
  #peakBefore = 0;
  #peakAt: number;

  constructor(key: string, storeKey: string, made: { limit: number; nowMs: number }) {
    this.key = key;
    this.storeKey = storeKey;
    this.free = made.limit;
    this.#peakAt = made.nowMs;
  }

  enter(): void {
    this.used++;
    if (this.used > this.#recent) this.#recent = this.used;
    if (this.used > this.#peak) this.#peak = this.used;
  }

  /** Most that was in use since it was asked for last. */
  recent(): number {
    const most = this.#recent;
    this.#recent = this.used;
    return most;
  }

  /** Most that was in use for about a second, to be asked for now and then. */
  peak(nowMs: number): number {
    if (nowMs - this.#peakAt >= PEAK_MS) {
      this.#peakBefore = this.#peak;
      this.#peak = this.used;
      this.#peakAt = nowMs;
    }
    return Math.max(this.#peak, this.#peakBefore);
  }

  /** Slots that are there to be used, or are used. */
  valid(nowMs: number): number {
    return nowMs < this.endsAt ? this.held : 0;
  }
}
