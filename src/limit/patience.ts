import type { Clock } from "./clock.ts";

/** Parts that a deadline is waited for in. */
const PARTS = 4;

/**
 * Calls once so many milliseconds were waited for, as a clock does, but in parts: a process that stood still has read no
 * answer meanwhile, and one part is all that counts of it. What it returns calls it off.
 */
export function afterTurns(clock: Clock, ms: number, call: () => void): () => void {
  let left = PARTS;
  let callOff = clock.after(ms / PARTS, turn);

  function turn(): void {
    left--;
    if (left === 0) call();
    else callOff = clock.after(ms / PARTS, turn);
  }

  return () => callOff();
}
