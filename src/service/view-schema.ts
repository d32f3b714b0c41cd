import * as z from "zod";

const count = z.int().min(0);
const instant = z.iso.datetime().describe("RFC 3339, UTC");

/** Workers by what they say. In a process that serves alone the one that says it is all. */
const healthView = z.strictObject({
  state: z.enum(["passing", "failing", "unknown"]).describe("the worst that any worker found; unknown before a check"),
  reason: z.string().nullable().describe("why the last check that counted failed"),
  passing: count.describe("workers whose checks pass"),
  failing: count.describe("workers whose checks fail"),
  unknown: count.describe("workers that have not checked it yet"),
});

const absenceView = z.strictObject({
  reason: z.string().describe("such as unhealthy or ejected"),
  cause: z.string().nullable().describe("what led to it, where that is known"),
  times: count.nullable().describe("for an ejection: how often lately, which decides how long it lasts"),
  until: instant.nullable().describe("when it ends by itself; null: when the cause is gone"),
  workers: count.describe("workers that keep it out for this reason"),
});

const connectionsView = z.strictObject({
  open: count,
  idle: count,
  passages: count.describe("those of tcp and tls_passthrough routes"),
});

const loadView = z.strictObject({
  cpu: z.number().optional(),
  memory: z.number().optional(),
  inFlight: z.number().optional(),
});

/** What an endpoint shows of itself. */
export const endpointView = z.strictObject({
  id: z.string(),
  url: z.string(),
  weight: z.number().describe("against the others; 0 takes none"),
  zone: z.string().nullable(),
  version: z.string().nullable(),
  tags: z.array(z.string()),
  load: loadView.nullable().describe("what it reports itself"),
  isUsed: z.boolean().describe("gets requests from at least one worker"),
  isSpare: z.boolean().describe("gets none only because the gateway's zone takes all"),
  health: healthView.nullable().describe("null: the service makes no health checks"),
  absences: z.array(absenceView).describe("why it gets no requests; empty when it may"),
  inFlight: count.describe("attempts that have not ended, waiting ones included"),
  connections: connectionsView,
});

const outcomes = z.strictObject({ total: count, failures: count, slow: count }).describe("outcomes of attempts");

const breakerView = z.strictObject({
  state: z.enum(["closed", "half_open", "open"]).describe("the worst of all workers'"),
  closed: count.describe("workers where it is closed"),
  halfOpen: count.describe("workers where it is half open"),
  open: count.describe("workers where it is open"),
  until: instant.nullable().describe("when the last one that is open lets probes through"),
  inFlight: count,
  maxRequests: count.describe("in all workers together"),
  pending: count,
  maxPending: count.describe("in all workers together"),
  window: outcomes.describe("within the last ten seconds, while it is closed"),
  openedFor: outcomes.nullable().describe("what it opened for the last time; null: never, or for a probe that failed"),
});

const concurrencyView = z.strictObject({
  limit: count.describe("requests that may be in flight, in all workers together"),
  inFlight: count,
  waiting: z.strictObject({ high: count, normal: count, low: count }).describe("by the priority of their routes"),
});

const registryView = z.strictObject({
  source: z.enum(["static", "memory", "redis", "dns"]),
  changedAt: instant.nullable().describe("when it told the present set of endpoints; null: it has told none"),
  changes: count.describe("sets that it told after the first, in the worker with the most"),
  isRecalled: z.boolean().describe("the endpoints come from the last good copy on disk, in at least one worker"),
  failure: z.string().nullable().describe("why it is followed no longer"),
});

/** A part of the requests. */
const zoneShare = z.number().min(0).max(1).nullable();
const ZONE_SHARE =
  "of the requests, stays in the gateway's zone, in the worker where that is least; null: zones count for nothing";

const subsetView = z.strictObject({
  name: z.string().describe("what its endpoints have, such as version 2, tag canary"),
  isPanic: z.boolean().describe("too few of its endpoints are available, so that all are used, in at least one worker"),
  used: count.describe("endpoints that get its requests, in the worker with the fewest"),
  zoneShare: zoneShare.describe(ZONE_SHARE),
});

const totalsView = z.strictObject({
  ejections: count,
  breakerOpens: count,
  retries: z.record(z.string(), count).describe("by their outcome, as in torii_retries_total"),
  hedges: z.record(z.string(), count).describe("by their outcome, as in torii_hedges_total"),
});

/**
 * What a service shows of itself, made when somebody asks. A field that is new here needs its value in `view.ts`, and
 * its sum over several workers in `view-merge.ts`: the types say so.
 */
export const serviceView = z
  .strictObject({
    name: z.string(),
    registry: registryView,
    policy: z.string().describe("of load balancing"),
    isPanic: z.boolean().describe("too few endpoints are available, so that all are used, in at least one worker"),
    zoneShare: zoneShare.describe(ZONE_SHARE),
    subsets: z.array(subsetView).describe("those that backends ask for"),
    endpoints: z.array(endpointView),
    breaker: breakerView.nullable().describe("null: the service has none"),
    concurrency: concurrencyView.nullable().describe("null: the service has no limit of its own"),
    totals: totalsView.describe("since the service, with these very options, is in use"),
  })
  .meta({ id: "Service" });

export type ServiceView = z.output<typeof serviceView>;
export type EndpointView = z.output<typeof endpointView>;
export type AbsenceView = z.output<typeof absenceView>;
export type BreakerView = z.output<typeof breakerView>;
export type ConcurrencyView = z.output<typeof concurrencyView>;
export type SubsetView = z.output<typeof subsetView>;
export type HealthView = z.output<typeof healthView>;
