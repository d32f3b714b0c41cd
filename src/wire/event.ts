/** What gathers writes until the event ends. */
export interface Gatherer {
  flush(): void;
}

let depth = 0;
let beganAt = 0;
let gatherer: Gatherer | null = null;

/** Begins an event: what is written until `leave` is gathered, and time stands still. Calls nest. */
export function enter(): void {
  if (depth++ === 0) beganAt = performance.now();
}

/** Ends an event; the outermost call sends what was gathered. */
export function leave(): void {
  if (--depth === 0) gatherer?.flush();
}

/** Runs one event whole: whatever it throws, what was written is sent and the next event begins afresh. */
export function inEvent<Target>(target: Target | undefined, run: (target: Target) => void): void {
  if (target === undefined) return;
  enter();
  try {
    run(target);
  } finally {
    leave();
  }
}

/** True between `enter` and `leave`. */
export function isInEvent(): boolean {
  return depth > 0;
}

/** Milliseconds of a steady clock, `performance.now()`'s; within an event, those of its beginning. */
export function now(): number {
  return depth > 0 ? beganAt : performance.now();
}

/** Makes this the one that gathers; what another has gathered is sent before. Null when there is nothing to send. */
export function gatherIn(next: Gatherer | null): void {
  if (next !== null && gatherer !== null && gatherer !== next) gatherer.flush();
  gatherer = next;
}

/** The one that gathers now. */
export function gathering(): Gatherer | null {
  return gatherer;
}
