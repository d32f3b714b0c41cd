/** The latest of them are kept. */
const KEPT = 256;

/** Response times of one interval, ms; bounded, and made once. */
export class ResponseTimes {
  /** How many there were. */
  count = 0;
  readonly #kept = new Float64Array(KEPT);

  add(ms: number): void {
    this.#kept[this.count++ % KEPT] = ms;
  }

  /** The one that this share of them, 0 to 1, do not exceed; 0 when there are none. Changes their order. */
  at(share: number): number {
    const size = Math.min(this.count, KEPT);
    const sorted = this.#kept.subarray(0, size).sort();
    return sorted[Math.min(size - 1, Math.max(0, Math.ceil(size * share) - 1))] ?? 0;
  }

  clear(): void {
    this.count = 0;
  }
}
