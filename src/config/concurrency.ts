import * as z from "zod";
import type { ConcurrencyOptions } from "../service/concurrency-options.ts";
import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import { count, durationMs, percent } from "./scalars.ts";
import { hint } from "./wording.ts";

const someTime = durationMs.refine((ms) => ms > 0, { error: "is no time at all; write for example 100ms" });

const toleranceHint = hint("a tolerance", "a number from 1 to 10, for example 1.5");
const smoothingHint = hint("a smoothing", "a number over 0 and up to 1, for example 0.2");

const adaptive = z.strictObject({
  initial: count(20).optional(),
  min: count(8).optional(),
  max: count(1000).default(1000),
  interval: someTime.default(100),
  percentile: percent.refine((share) => share > 0, { error: "is no share at all; write for example 50%" }).default(50),
  tolerance: z
    .number({ error: toleranceHint })
    .min(1, { error: toleranceHint })
    .max(10, { error: toleranceHint })
    .default(1.5),
  smoothing: z
    .number({ error: smoothingHint })
    .positive({ error: smoothingHint })
    .max(1, { error: smoothingHint })
    .default(0.2),
  minRttInterval: someTime.default(30_000),
});

const queue = z.strictObject({
  size: count(256).default(256),
  timeout: someTime.default(500),
});

/** The `concurrency` part of a service. */
export const concurrency = z.strictObject({
  limit: count(100).optional(),
  adaptive: adaptive.optional(),
  queue: queue.optional(),
});

type Written = z.output<typeof concurrency>;

/** Where a limit begins, and what it does not fall below, where nothing else is said. */
const INITIAL = 20;
const LEAST = 8;

/** What `concurrency` at `spot` says; null where it is not written. A limit that both stays and adapts is a fault, and so is none. */
export function concurrencyOptions(
  written: Written | undefined,
  spot: Spot,
  building: Pick<Building, "issues">,
): ConcurrencyOptions | null {
  if (written === undefined) return null;
  if (written.limit !== undefined && written.adaptive !== undefined)
    addFault(building, below(spot, "limit"), "stands beside adaptive; remove one of them");
  if (written.limit === undefined && written.adaptive === undefined)
    addFault(building, spot, "sets no limit; write adaptive: {}, or for example limit: 100");
  return {
    limit: written.limit ?? adaptiveOptions(written.adaptive ?? adaptive.parse({}), below(spot, "adaptive"), building),
    queue: written.queue === undefined ? null : { size: written.queue.size, timeoutMs: written.queue.timeout },
  };
}

function adaptiveOptions(written: z.output<typeof adaptive>, spot: Spot, building: Pick<Building, "issues">) {
  const { max, interval, percentile, tolerance, smoothing, minRttInterval } = written;
  const min = written.min ?? Math.min(max, LEAST);
  const initial = written.initial ?? Math.min(max, Math.max(min, INITIAL));
  if (min > max)
    addFault(building, below(spot, "min"), `${min} is more than max, which is ${max}; write at most ${max}`);
  else if (initial < min || initial > max)
    addFault(
      building,
      below(spot, "initial"),
      `${initial} is not from min to max; write a number from ${min} to ${max}`,
    );
  return {
    initial,
    min,
    max,
    intervalMs: interval,
    percentile: percentile / 100,
    tolerance,
    smoothing,
    minRttIntervalMs: minRttInterval,
  };
}
