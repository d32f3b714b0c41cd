import * as z from "zod";
import { costReader, costSchema, quantity } from "./limit-cost.ts";
import { allowFaults, type Fault, limitFields, limitName, period } from "./limit-options.ts";

const MINUTE_MS = 60_000;

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const fields = {
  name: limitName,
  limit: quantity("a limit"),
  per: z
    .enum(["day", "week", "month"], {
      error: "is no period of the calendar; write day, week or month, or use rolling: 24h instead",
    })
    .optional(),
  timeZone: z.string().refine(isTimeZone, { error: "is no time zone; write for example Europe/Berlin" }).optional(),
  rolling: period
    .refine((ms) => ms >= MINUTE_MS, { error: "is shorter than a minute; write for example 24h, or use rate-limit" })
    .optional(),
  ...limitFields,
  cost: costSchema.optional(),
  onStoreError: z
    .enum(["deny", "allow"], {
      error: ({ input }) =>
        input === "local"
          ? '"local" would let a quota be exceeded: what is left of it is known to the store alone; write deny or allow'
          : "says not what to do while the store is away; write deny or allow",
    })
    .default("deny"),
  headers: z.enum(["draft", "legacy", "both", "off"]).default("draft"),
};

type Options = z.output<z.ZodObject<typeof fields>>;

function faultsOf(value: Options): readonly Fault[] {
  const { per, rolling, timeZone, limit } = value;
  const { least } = costReader(value.cost);
  const faults: Fault[] = [...allowFaults(value)];
  if (per === undefined && rolling === undefined) {
    faults.push({ path: ["per"], message: "is missing; write day, week or month, or rolling: 24h instead" });
  }
  if (per !== undefined && rolling !== undefined) {
    faults.push({ path: ["rolling"], message: "stands beside per; leave one of them out" });
  }
  if (timeZone !== undefined && per === undefined) {
    faults.push({ path: ["timeZone"], message: "means nothing to a window that rolls; leave it out, or write per" });
  }
  // What is no limit has its fault already.
  if (least !== null && limit > 0 && limit < least) {
    const message = `is less than one request costs, which is ${least}, so that none would ever pass; write at least that`;
    faults.push({ path: ["limit"], message });
  }
  return faults;
}

/** The options of `quota`. */
export const quotaOptions = z.strictObject(fields).check(({ value, issues }) => {
  for (const { path, message } of faultsOf(value)) {
    issues.push({ code: "custom", input: value, path: [...path], message });
  }
});

export type QuotaOptions = z.output<typeof quotaOptions>;
