/** Time that only goes forward, and calls to be made later. */
export interface Clock {
  /** Milliseconds since some instant. */
  nowMs(): number;
  /** Calls once after so many milliseconds; what it returns calls it off. Must not hold the process up. */
  after(ms: number, call: () => void): () => void;
}

/** The machine's clock. */
export const MONOTONIC_CLOCK: Clock = {
  nowMs: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
