/** What was asked and repeated counts for so long… */
const WINDOW_MS = 10_000;
/** …in steps of this. */
const STEP_MS = 1000;
const STEPS = WINDOW_MS / STEP_MS;
/** So many within the window are always allowed: of few requests a share is none at all. */
const FREE_RETRIES = 10;

/** Keeps retries from becoming the load that an ailing service breaks under. */
export interface RetryBudget {
  /** Counts a request, which retries are a share of. */
  count(): void;
  /** Takes one retry; false when there are as many as `share` (0 to 1) of the window's requests already. */
  take(share: number): boolean;
}

/** `nowMs` gives milliseconds on any steady clock. Ten retries within ten seconds are free. */
export function createRetryBudget(nowMs: () => number): RetryBudget {
  const requests = new Array<number>(STEPS).fill(0);
  const retries = new Array<number>(STEPS).fill(0);
  let step = Math.floor(nowMs() / STEP_MS);
  const slot = () => {
    const present = Math.floor(nowMs() / STEP_MS);
    for (let passed = Math.min(present - step, STEPS); passed > 0; passed--) {
      requests[(present - passed + 1) % STEPS] = 0;
      retries[(present - passed + 1) % STEPS] = 0;
    }
    step = present;
    return present % STEPS;
  };
  return {
    count() {
      const at = slot();
      requests[at] = (requests[at] ?? 0) + 1;
    },
    take(share) {
      const at = slot();
      if (sum(retries) >= Math.max(FREE_RETRIES, share * sum(requests))) return false;
      retries[at] = (retries[at] ?? 0) + 1;
      return true;
    },
  };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
