import * as z from "zod";

/** More is not counted exactly. */
const MOST_UNITS = 1_000_000_000;

const units = z.number().min(0);

/** What is counted of a key of a quota. */
export const ledgerView = z
  .strictObject({
    name: z.string(),
    key: z.string().describe("as it was asked for"),
    window: z.string().describe("what is counted over, in words"),
    limit: units,
    used: units.describe("units that were reported as spent, and those that were set"),
    leased: units.describe("units that gateways hold or held when they were last heard of: they may be spent"),
    remaining: units,
    resetsAt: z.iso.datetime().describe("when the period ends or, rolling, all that is used has come back"),
  })
  .meta({ id: "LimitKey" });

const used = z.number().min(0).max(MOST_UNITS).describe("what is to be counted as used from now on");
const add = z
  .number()
  .min(-MOST_UNITS)
  .max(MOST_UNITS)
  .describe("units more that are used, or fewer; not below 0 in all");

/** The body of PUT. */
export const ledgerSet = z.strictObject({ used }).meta({ id: "LimitKeySet" });
/** The body of PATCH. */
export const ledgerAdd = z.strictObject({ add }).meta({ id: "LimitKeyAdd" });

/** What is asked of a ledger. */
export const ledgerAsk = z.strictObject({
  name: z.string(),
  /** The key as it was asked for, and the parts of it. */
  key: z.string(),
  texts: z.array(z.string()),
  /** Null: it is read. */
  change: z.union([ledgerSet, ledgerAdd]).nullable(),
  /** What must be used now; null: whatever is. */
  expected: z.number().nullable(),
});

const changed = { before: ledgerView, after: ledgerView };

/** What became of it; `no_quota`: there is none of that name, `other_limit`: what has that name is none. */
export const ledgerAnswer = z.discriminatedUnion("outcome", [
  z.strictObject({ outcome: z.enum(["no_quota", "other_limit", "no_key", "store_away", "silent"]) }),
  z.strictObject({ outcome: z.literal("found"), found: ledgerView }),
  z.strictObject({ outcome: z.literal("changed"), ...changed }),
  z.strictObject({ outcome: z.literal("differs"), ...changed }),
]);

export type LedgerView = z.output<typeof ledgerView>;
export type LedgerAsk = z.output<typeof ledgerAsk>;
export type LedgerAnswer = z.output<typeof ledgerAnswer>;
