import * as z from "zod";

const count = z.int().min(0);

const mode = z
  .enum(["leased", "waiting", "local"])
  .describe("leased: the store lends; waiting: it is away and what it lent is spent; local: shares are enforced");

const keys = count.describe("keys that are held here");
const decided = { admitted: count, refused: count };

const limit = z.strictObject({
  name: z.string(),
  algorithm: z.enum(["token_bucket", "sliding_window", "fixed_window"]),
  limit: z.number(),
  perMs: z.number(),
  burst: z.number(),
  keys,
  leased: z.number().describe("tokens that the store lent and that are not spent"),
  ...decided,
});

const quota = z.strictObject({
  name: z.string(),
  window: z.string(),
  limit: z.number(),
  keys,
  leased: z.number().describe("units that the store lent and that are not spent"),
  ...decided,
});

const concurrency = z.strictObject({
  name: z.string(),
  limit: count,
  keys,
  inFlight: count,
  held: count.describe("slots that the store lent, in use or free"),
  ...decided,
});

/** What a process, or several as one, know of limits. */
export const limitsFacts = z.strictObject({
  kind: z.enum(["embedded", "redis"]).describe("embedded: nobody else shares them"),
  mode,
  gateways: count.describe("processes known to share the limits"),
  vanished: count.describe("of these, the ones that ended without a goodbye"),
  share: z.number().describe("this gateway's part of every limit while the store is away, 0 to 1"),
  storeCalls: count,
  quotas: z.array(quota).describe("the same of quotas"),
  concurrency: z.array(concurrency).describe("the same of limits of what is in flight"),
  limits: z.array(limit).describe("with those of a configuration before, as long as they hold keys"),
});

const worker = z.strictObject({ worker: count, mode, share: z.number(), storeCalls: count });

/** `/v1/limits`. */
export const limitsView = z
  .strictObject({
    state: limitsFacts.nullable().describe("over all workers: counts as sums, of modes the worst; null: no limits"),
    workers: z.array(worker).describe("those that have limits"),
    answered: z.array(count).describe("workers that answered"),
    missing: z.array(count).describe("workers that did not answer in time; what they know is not in here"),
  })
  .meta({ id: "Limits" });

export type LimitsView = z.output<typeof limitsFacts>;
export type LimitsDocument = z.output<typeof limitsView>;
