import * as z from "zod";
import type { OutlierOptions } from "../service/options.ts";
import { count, durationMs, percent } from "./scalars.ts";
import { hint } from "./wording.ts";

const spreadHint = hint("a number of standard deviations", "a number over 0, for example 1.9");

const successRate = z.strictObject({
  minEndpoints: count(5).default(5),
  minRequests: count(100).default(100),
  deviations: z
    .number({ error: spreadHint })
    .positive({ error: spreadHint })
    .max(100, { error: spreadHint })
    .default(1.9),
});

/** Refuses a time of nothing, in which nothing would be done. */
const someTime = durationMs.refine((ms) => ms > 0, { error: "is no time at all; write for example 10s" });

/** The `outlierDetection` part of a service. */
export const outlierDetection = z.strictObject({
  consecutiveFailures: count(5).default(5),
  interval: someTime.default(10_000),
  ejectFor: someTime.default(30_000),
  maxEjected: percent.default(50),
  successRate: successRate.optional(),
});

/** What `outlierDetection` says; null where it is not written. */
export function outlierOptions(written: z.output<typeof outlierDetection> | undefined): OutlierOptions | null {
  if (written === undefined) return null;
  const { consecutiveFailures, interval, ejectFor, maxEjected, successRate: rate = null } = written;
  return {
    consecutiveFailures,
    intervalMs: interval,
    ejectForMs: ejectFor,
    maxEjectedShare: maxEjected / 100,
    successRate: rate,
  };
}
