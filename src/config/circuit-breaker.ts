import * as z from "zod";
import type { BreakerOptions } from "../service/options.ts";
import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import { count, durationMs, percent } from "./scalars.ts";

const rate = percent.refine((share) => share > 0, { error: "is no share at all; write for example 50%" });
const someTime = durationMs.refine((ms) => ms > 0, { error: "is no time at all; write for example 10s" });

/** The `circuitBreaker` part of a service. */
export const circuitBreaker = z.strictObject({
  maxRequests: count(1024).default(1024),
  maxPending: count(256).default(256),
  failureRate: rate.default(50),
  minRequests: count(20).default(20),
  openFor: someTime.default(10_000),
  slowCallRate: rate.optional(),
  slowCall: someTime.optional(),
});

/** What `circuitBreaker` at `spot` says; null where it is not written. A rate of slow calls without a time is a fault. */
export function breakerOptions(
  written: z.output<typeof circuitBreaker> | undefined,
  spot: Spot,
  building: Pick<Building, "issues">,
): BreakerOptions | null {
  if (written === undefined) return null;
  const { maxRequests, maxPending, failureRate, minRequests, openFor, slowCallRate, slowCall } = written;
  if (slowCallRate !== undefined && slowCall === undefined)
    addFault(building, below(spot, "slowCallRate"), "needs slowCall; write for example slowCall: 2s");
  if (slowCallRate === undefined && slowCall !== undefined)
    addFault(building, below(spot, "slowCall"), "needs slowCallRate; write for example slowCallRate: 50%");
  return {
    maxRequests,
    maxPending,
    failureRate: failureRate / 100,
    minRequests,
    openForMs: openFor,
    slowCallRate: slowCallRate === undefined ? null : slowCallRate / 100,
    slowCallMs: slowCall ?? 0,
  };
}
