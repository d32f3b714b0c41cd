import type { LimitSpec } from "../../src/limit/limit.ts";
import type { Ideal, Meter } from "./world.ts";

/** The most that was admitted in any window of a limit, by true time. */
export function windowMeter({ algorithm, perMs }: LimitSpec, clockMs: number): Pick<Meter, "add" | "most" | "total"> {
  const recent: [atMs: number, cost: number][] = [];
  let level = 0;
  let window = -1;
  const meter = {
    most: 0,
    total: 0,
    add(atMs: number, cost: number): void {
      if (algorithm === "sliding_window") {
        recent.push([atMs, cost]);
        while ((recent[0]?.[0] ?? atMs) <= atMs - perMs) level -= recent.shift()?.[1] ?? 0;
      } else if (Math.floor((clockMs + atMs) / perMs) !== window) {
        window = Math.floor((clockMs + atMs) / perMs);
        level = 0;
      }
      level += cost;
      meter.most = Math.max(meter.most, level);
      meter.total += cost;
    },
  };
  return meter;
}

/** The best that anybody could do who knows all: windows that are counted one request at a time. */
export function windowIdeal(spec: LimitSpec, clockMs: number): Pick<Ideal, "ask" | "total"> {
  const admitted = windowMeter(spec, clockMs);
  const recent: [atMs: number, cost: number][] = [];
  let window = -1;
  let level = 0;
  return {
    get total() {
      return admitted.total;
    },
    ask(atMs, cost = 1) {
      if (spec.algorithm === "sliding_window") {
        while ((recent[0]?.[0] ?? atMs) <= atMs - spec.perMs) level -= recent.shift()?.[1] ?? 0;
      } else if (Math.floor((clockMs + atMs) / spec.perMs) !== window) {
        window = Math.floor((clockMs + atMs) / spec.perMs);
        level = 0;
      }
      if (level + cost > spec.limit) return;
      level += cost;
      recent.push([atMs, cost]);
      admitted.add(atMs, cost);
    },
  };
}
