import type { Clock } from "./clock.ts";

const TICK_MS = 125;
const SLOTS = 64;

/** What is looked at: a bucket, or whatever else is held of a key. */
export interface Watched {
  /** In a slot of the sweep. */
  isWatched: boolean;
}

/** Who looks at it when its time has come. */
export interface Visitor<One extends Watched> {
  visit(one: One, nowMs: number): void;
}

/** One timer for all keys of all limiters. */
export interface Sweep {
  /** Has it looked at after 1 to 63 ticks of 125 ms; what is waited for already stays where it is. */
  watch<One extends Watched>(one: One, visitor: Visitor<One>, ticks: number): void;
  close(): void;
}

interface Due {
  readonly one: Watched;
  readonly visitor: Visitor<Watched>;
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
    for (const { one, visitor } of due) {
      one.isWatched = false;
      visitor.visit(one, nowMs);
    }
    run();
  }

  function run(): void {
    if (callOff === null && watched > 0) callOff = clock.after(TICK_MS, turn);
  }

  return {
    watch: (one, visitor, ticks) => {
      if (one.isWatched) return;
      one.isWatched = true;
      watched++;
      slots[(tick + ticks) % SLOTS]?.push({ one, visitor });
      run();
    },
    close: () => {
      callOff?.();
      slots = slots.map(() => []);
      watched = 0;
    },
  };
}
