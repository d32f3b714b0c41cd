import type { Clock } from "../../src/limit/clock.ts";
import type { LimitSpec, Limits } from "../../src/limit/limit.ts";
import { createLimits, type LimitsOptions } from "../../src/limit/limits.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { Store } from "../../src/store/store.ts";
import { Timeline } from "./world.ts";

/** Limits over a memory store, in a time that is moved. */
export interface House {
  readonly timeline: Timeline;
  readonly store: Store;
  readonly limits: Limits;
  /** Limits of another process over the same store. */
  another(): Limits;
  pass(ms: number): Promise<void>;
  /** Takes so many times, one after the other, and says how many were admitted. */
  taken(times: number, spec?: LimitSpec, limits?: Limits): Promise<number>;
}

function clockOf(timeline: Timeline): Clock {
  return {
    nowMs: () => timeline.nowMs,
    after: (ms, call) => {
      const event = timeline.at(timeline.nowMs + ms, call);
      return () => {
        event.isOff = true;
      };
    },
  };
}

/** `spec` is taken of where a test names none; `startMs` is what the store's clock says at first. */
export function houseAt(startMs: number, spec: LimitSpec, options: Partial<LimitsOptions> = {}): House {
  const timeline = new Timeline();
  const store = createMemoryStore({ now: () => startMs + timeline.nowMs });
  const another = () => createLimits({ store, gateway: null, clock: clockOf(timeline), ...options });
  const limits = another();
  const taken: House["taken"] = async (times, asked = spec, by = limits) => {
    let admitted = 0;
    for (let i = 0; i < times; i++) if ((await by.limiter(asked).take("key")).isAdmitted) admitted++;
    return admitted;
  };
  return { timeline, store, limits, another, pass: (ms) => timeline.run(timeline.nowMs + ms), taken };
}
