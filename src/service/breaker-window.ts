const BUCKETS = 10;
const BUCKET_MS = 1000;

/** How far back outcomes count. */
export const WINDOW_MS = BUCKETS * BUCKET_MS;

/** The outcomes of the last ten seconds, in steps of one: a second is forgotten whole. */
export class BreakerWindow {
  total = 0;
  failures = 0;
  slow = 0;
  readonly #nowMs: () => number;
  readonly #totals = new Int32Array(BUCKETS);
  readonly #failures = new Int32Array(BUCKETS);
  readonly #slow = new Int32Array(BUCKETS);
  #tick: number;

  /** `nowMs` is any steady clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#tick = Math.floor(nowMs() / BUCKET_MS);
  }

  /** Counts one outcome; `total`, `failures` and `slow` are of this moment then. */
  add(isFailure: boolean, isSlow: boolean): void {
    const bucket = this.#advance();
    this.#totals[bucket] = (this.#totals[bucket] ?? 0) + 1;
    this.total++;
    if (isFailure) {
      this.#failures[bucket] = (this.#failures[bucket] ?? 0) + 1;
      this.failures++;
    }
    if (isSlow) {
      this.#slow[bucket] = (this.#slow[bucket] ?? 0) + 1;
      this.slow++;
    }
  }

  /** Forgets what is too old, so that `total`, `failures` and `slow` are of this moment. */
  look(): void {
    this.#advance();
  }

  clear(): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#forget(bucket);
  }

  /** The bucket of now, those that are too old emptied. */
  #advance(): number {
    const tick = Math.floor(this.#nowMs() / BUCKET_MS);
    const steps = Math.min(tick - this.#tick, BUCKETS);
    for (let step = 0; step < steps; step++) this.#forget((tick - step) % BUCKETS);
    this.#tick = tick;
    return tick % BUCKETS;
  }

  #forget(bucket: number): void {
    this.total -= this.#totals[bucket] ?? 0;
    this.failures -= this.#failures[bucket] ?? 0;
    this.slow -= this.#slow[bucket] ?? 0;
    this.#totals[bucket] = 0;
    this.#failures[bucket] = 0;
    this.#slow[bucket] = 0;
  }
}
