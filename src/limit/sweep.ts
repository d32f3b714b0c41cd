import type { Bucket } from "./bucket.ts";
import type { Clock } from "./clock.ts";

const TICK_MS = 125;
const SLOTS = 64;

/** Who looks at a bucket when its time has come. */
export interface Visitor {
  visit(bucket: Bucket, nowMs: number): void;
}

/** One timer for all buckets of all limiters. */
export interface Sweep {
  /** Has a bucket looked at after 1 to 63 ticks of 125 ms; one that is waited for already stays where it is. */
  watch(bucket: Bucket, visitor: Visitor, ticks: number): void;
  close(): void;
}

interface Due {
  readonly bucket: Bucket;
  readonly visitor: Visitor;
}

/** Makes a sweep; its timer runs only while it watches anything. */
export function createSweep(clock: Clock): Sweep {
  let slots: Due[][] = Array.from({ length: SLOTS }, () => []);
  let tick = 0;
  let watched = 0;
  let callOff: (() => void) | null = null;

  function turn(): void {
    callOff = null;
    tick = (tick + 1) % SLOTS;
    const due = slots[tick] ?? [];
    slots[tick] = [];
    watched -= due.length;
    const nowMs = clock.nowMs();
    for (const { bucket, visitor } of due) {
      bucket.isWatched = false;
      visitor.visit(bucket, nowMs);
    }
    run();
  }

  function run(): void {
    if (callOff === null && watched > 0) callOff = clock.after(TICK_MS, turn);
  }

  return {
    watch: (bucket, visitor, ticks) => {
      if (bucket.isWatched) return;
      bucket.isWatched = true;
      watched++;
      slots[(tick + ticks) % SLOTS]?.push({ bucket, visitor });
      run();
    },
    close: () => {
      callOff?.();
      slots = slots.map(() => []);
      watched = 0;
    },
  };
}
