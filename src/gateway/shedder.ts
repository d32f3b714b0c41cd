import type { RoutePriority } from "../config/types.ts";

/** What the gateway watches. */
export type Signal = "memory" | "lag" | "connections";

/** How much is shed: 0 nothing, 1 requests of `low` routes, 2 of `normal` ones too, 3 all. */
export type ShedLevel = 0 | 1 | 2 | 3;

/** The level from which on requests of a priority are shed. */
const SHED_FROM: Readonly<Record<RoutePriority, ShedLevel>> = { low: 1, normal: 2, high: 3 };

/** Share of a threshold at which a level begins. */
const BEGINS = [0, 0.8, 0.9, 1] as const;
/** It ends so much below, so that it does not begin and end in turn. */
const HYSTERESIS = 0.05;
/** From its begin on, a level sheds more and more, and all of its priority this much later. */
const SPAN = 0.1;

/** The level that follows from a pressure, 1 being the threshold, and the level before. */
export function nextLevel(level: ShedLevel, pressure: number): ShedLevel {
  let next: ShedLevel = level;
  while (next < 3 && pressure >= BEGINS[up(next)]) next = up(next);
  while (next > 0 && pressure < BEGINS[next] - HYSTERESIS) next = down(next);
  return next;
}

function up(level: ShedLevel): ShedLevel {
  return level === 0 ? 1 : level === 1 ? 2 : 3;
}

function down(level: ShedLevel): ShedLevel {
  return level === 3 ? 2 : level === 2 ? 1 : 0;
}

/** Share of the requests of a priority that are shed at a pressure, once its level was reached. */
export function shedShare(from: ShedLevel, pressure: number): number {
  // The last level is the threshold itself: there nothing is left to rise.
  const begins = from === 3 ? 1 - HYSTERESIS : BEGINS[from];
  const span = from === 3 ? HYSTERESIS : SPAN;
  return Math.min(1, Math.max(0, (pressure - begins) / span));
}

/** Tells requests that are shed from others. `level` is looked at for each request; the rest only under pressure. */
export class Shedder {
  level: ShedLevel = 0;
  /** From then on, on the clock of requests, `look` is to be called: a timer comes late when it matters most. */
  dueAt = 0;
  pressure = 0;
  /** The signal that it is for. */
  reason: Signal = "memory";
  readonly #random: () => number;
  readonly #onShed: (priority: RoutePriority, reason: Signal) => void;

  /** Measures now, outside of its turn. */
  look: () => void = () => {};

  constructor(random: () => number, onShed: (priority: RoutePriority, reason: Signal) => void) {
    this.#random = random;
    this.#onShed = onShed;
  }

  /** Decides on one request of a route, and counts it when it is shed. */
  sheds(priority: RoutePriority): boolean {
    const from = SHED_FROM[priority];
    if (this.level < from || this.#random() >= shedShare(from, this.pressure)) return false;
    this.#onShed(priority, this.reason);
    return true;
  }

  /** Seconds after which a client may try again: 1 to 3, so that they do not all come back at once. */
  retryAfter(): number {
    return 1 + Math.floor(this.#random() * 3);
  }
}
