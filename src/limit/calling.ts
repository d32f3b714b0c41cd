import type { Clock } from "./clock.ts";

/** What has at most one call of the store under way. */
export interface Calling {
  /** Null: none is. */
  call: Promise<void> | null;
}

/** Makes a step the call of `one` until it ends; then calls `ended`, unless another call is under way by then. */
export function callAlone(one: Calling, step: () => Promise<boolean>, ended?: () => void): Promise<boolean> {
  const done = step();
  const call = done.then(() => {
    if (one.call !== call) return;
    one.call = null;
    ended?.();
  });
  one.call = call;
  return done;
}

/** Calls that are waited for before a request is refused. */
const TRIES = 3;

export interface Waiting<Verdict> {
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** What is to be waited for now. */
  readonly call: () => Promise<void> | null;
  /** Null: there is another call to wait for. */
  readonly decide: () => Verdict | null;
  readonly onLate: () => void;
}

/** Decides anew after each call; null where that took too long, or too many of them. */
export async function decideAfterCalls<Verdict>(waiting: Waiting<Verdict>): Promise<Verdict | null> {
  const late = Promise.withResolvers<"late">();
  const callOff = waiting.clock.after(waiting.deadlineMs, () => late.resolve("late"));
  try {
    for (let left = TRIES; left > 0; left--) {
      if ((await Promise.race([waiting.call(), late.promise])) === "late") {
        waiting.onLate();
        return null;
      }
      const verdict = waiting.decide();
      if (verdict !== null) return verdict;
    }
    return null;
  } finally {
    callOff();
  }
}
