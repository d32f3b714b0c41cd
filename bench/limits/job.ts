import type { LimitSpec } from "../../src/limit/limit.ts";
import type { RedisTarget } from "../../src/store/redis-target.ts";

/** Requests per second, without a pause or in turns of asking and resting. */
export interface Demand {
  /** While it asks. */
  readonly perSecond: number;
  readonly askMs: number;
  /** 0: it never rests. */
  readonly restMs: number;
  /** How far into its first turn it begins. */
  readonly shiftMs: number;
}

/** Who limits: leases as Torii does, or a script in Redis for each request. */
export type LimiterKind = "lease" | "script";

/** What one process does: it asks a limiter by a demand and records what became of each request. */
export interface Job {
  readonly kind: LimiterKind;
  readonly redis: RedisTarget;
  readonly gateway: string;
  /** How many gateways there are to be before the start. */
  readonly gateways: number;
  readonly spec: LimitSpec;
  /** Asked in turn. */
  readonly keys: number;
  readonly demand: Demand;
  readonly seconds: number;
  /** Where the records go, see `records.ts`; exists already, in its full size. */
  readonly recordFile: string;
}

/** What a process says of itself in the end, as one line of JSON. */
export interface JobReport {
  /** Questions for keys; a gateway's heartbeats are not among them. */
  readonly storeCalls: number;
  /** What was thrown, rejected, or never answered. */
  readonly faults: readonly string[];
  /** Verdicts by how they were come by. */
  readonly modes: Readonly<Record<string, number>>;
  /** Milliseconds that the slowest verdict took. */
  readonly slowestMs: number;
  /** Processor time of the whole process, microseconds. */
  readonly cpuUs: number;
}

/** Requests that are due so many milliseconds after the start. */
export function requestsDue({ perSecond, askMs, restMs, shiftMs }: Demand, elapsedMs: number): number {
  const asked = (atMs: number): number => {
    const turn = askMs + restMs;
    return Math.floor(atMs / turn) * askMs + Math.min(askMs, atMs % turn);
  };
  return ((asked(elapsedMs + shiftMs) - asked(shiftMs)) * perSecond) / 1000;
}
