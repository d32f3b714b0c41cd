const FIRST_MS = 100;
const MOST_MS = 5000;
/** Who ran so long had no trouble starting: the next failure is a first one. */
const STEADY_MS = 10_000;

/** How long to wait before the next try, in milliseconds. */
export interface Backoff {
  /** After an end, or a failed start, of something that ran so long: 0 at first, then doubling from 100 ms to 5 s. */
  after(ranMs: number): number;
}

/** No failure so far. */
export function createBackoff(): Backoff {
  let failures = 0;
  return {
    after(ranMs) {
      failures = ranMs >= STEADY_MS ? 1 : failures + 1;
      return failures === 1 ? 0 : Math.min(FIRST_MS * 2 ** (failures - 2), MOST_MS);
    },
  };
}
