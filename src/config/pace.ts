import { setImmediate } from "node:timers/promises";

/** Keeps long work from holding up the requests that the same thread serves. */
export interface Pace {
  /** Lets everything else have a turn, if this work has run long enough since the last one; null when it has not. */
  rest(): Promise<void> | null;
}

const SLICE_MS = 4;

/** Begins to pace one piece of work, which awaits `rest()` in its loops. */
export function createPace(): Pace {
  let endsAt = performance.now() + SLICE_MS;
  async function turn(): Promise<void> {
    await setImmediate();
    endsAt = performance.now() + SLICE_MS;
  }
  return { rest: () => (performance.now() < endsAt ? null : turn()) };
}
