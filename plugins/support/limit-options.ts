import * as z from "zod";
import { isAddressRange, type LimitAlgorithm } from "../../src/plugin.ts";
import { costReader, costSchema, MOST_UNITS, quantity } from "./limit-cost.ts";
import { type KeySource, keyReader, keySource } from "./limit-key.ts";
import { keyOfTexts } from "./limit-key-text.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_MS = 366 * 86_400_000;
/** Shorter ones would be over before a lease of them is here. */
const LEAST_WINDOW_MS = 100;
const MOST_PER_SECOND = 1_000_000_000;

function periodError({ input }: { readonly input?: unknown }): string {
  return input === undefined ? "is missing; write for example 1m" : "is no period; write for example 1s, 1m or 24h";
}

function millisecondsOf(text: string): number {
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g))
    total += Number(count) * (UNIT_MS[unit ?? ""] ?? 0);
  return total;
}

/** A period such as `1m`, in milliseconds. */
export const period = z
  .string({ error: periodError })
  .regex(/^(?:\d{1,12}(?:ms|s|m|h|d)){1,4}$/, { error: periodError })
  .transform(millisecondsOf)
  .refine((ms) => ms >= 1, { error: "is no time at all; write for example 1s or 1m" })
  .refine((ms) => ms <= LONGEST_MS, { error: "is longer than 366 days; write a shorter period" });

function refused(parse: () => unknown): string | null {
  try {
    parse();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function accepted<Value>(parse: (value: Value) => unknown) {
  return ({ value, issues }: z.core.ParsePayload<Value>): void => {
    const message = refused(() => parse(value));
    if (message !== null) issues.push({ code: "custom", input: value, message });
  };
}

function byError({ input }: { readonly input?: unknown }): string {
  const verb = input === undefined ? "is missing" : "says not what to count by";
  return `${verb}; write ip, header.x-tenant, jwt.sub or the like, joined by +`;
}

const by = z
  .custom<string | KeySource>((given) => typeof given === "string" || typeof given === "function", { error: byError })
  .check(accepted(keyReader));

const tierBy = z
  .custom<string | KeySource>((given) => typeof given === "string" || typeof given === "function", { error: byError })
  .check(accepted((given) => (typeof given === "string" ? keySource(given) : given)));

const numbers = {
  limit: quantity("a limit"),
  per: period,
  burst: quantity("a burst").optional(),
};

const tier = z.strictObject({ ...numbers, per: period.optional() });

const tiers = z.object({ by: tierBy }).catchall(tier);

const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$/;
const nameHint = { error: 'is no name of a limit; write letters, digits, ".", "_", "-" and "/", for example per-user' };

const algorithm = z.enum(["token_bucket", "sliding_window", "fixed_window"], {
  error: "is no algorithm; write token_bucket, sliding_window or fixed_window",
});

/** The name of a limit. */
export const limitName = z.string().regex(NAME, nameHint).optional();

/** What limits of every kind have besides. */
export const limitFields = {
  by,
  allow: z
    .array(z.string().refine(isAddressRange, { error: "is no address or block; write for example 10.0.0.0/8" }))
    .default([]),
  allowKeys: z.array(z.string().min(1)).default([]),
};

const fields = {
  name: limitName,
  ...numbers,
  ...limitFields,
  cost: costSchema.optional(),
  algorithm: algorithm.default("token_bucket"),
  onStoreError: z.enum(["local", "allow", "deny"]).default("local"),
  headers: z.enum(["draft", "legacy", "both", "off"]).default("draft"),
  tiers: tiers.optional(),
};

interface Written {
  readonly algorithm: LimitAlgorithm;
  readonly limit: number;
  readonly per: number;
  readonly burst?: number | undefined;
}

/** What is wrong with options that are taken together. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Units that may come at once: of a bucket as many as the limit is, or one request where that is less than one. */
export function burstOf({ algorithm, limit, burst }: Omit<Written, "per">): number {
  return algorithm === "token_bucket" ? (burst ?? Math.max(1, limit)) : limit;
}

function tooSmall({ algorithm, burst }: Written, least: number): Omit<Fault, "path"> & { readonly key: string } {
  const isBucket = algorithm === "token_bucket";
  const what = isBucket ? "burst" : "limit";
  const message = `is less than one request costs, which is ${least}, so that none would ever pass; write a ${what} of at least that`;
  return { key: isBucket && burst !== undefined ? "burst" : "limit", message };
}

function windowFaults({ algorithm, per, burst }: Written, path: readonly string[]): Fault[] {
  if (algorithm === "token_bucket") return [];
  const short = `is too short for a ${algorithm}; write at least ${LEAST_WINDOW_MS}ms, or use token_bucket`;
  const bursts = `is for token_bucket only: all that a ${algorithm} allows may come at once; leave it out`;
  return [
    ...(per >= 1 && per < LEAST_WINDOW_MS ? [{ path: [...path, "per"], message: short }] : []),
    ...(burst === undefined ? [] : [{ path: [...path, "burst"], message: bursts }]),
  ];
}

function faultsOf(written: Written, least: number | null, path: readonly string[]): Fault[] {
  const faults = windowFaults(written, path);
  // What is no number or no period has its fault already.
  const isRead = written.limit <= MOST_UNITS && written.per >= 1;
  if (isRead && (written.limit * 1000) / written.per > MOST_PER_SECOND) {
    const message = `is more than ${MOST_PER_SECOND} a second; write less, or a longer per`;
    faults.push({ path: [...path, "limit"], message });
  }
  if (least !== null && burstOf(written) < least) {
    const { key, message } = tooSmall(written, least);
    faults.push({ path: [...path, key], message });
  }
  return faults;
}

/** Keys can be listed only where they have one part. */
export function allowFaults({
  allowKeys,
  by,
}: {
  readonly allowKeys: readonly string[];
  readonly by: unknown;
}): Fault[] {
  if (allowKeys.length === 0 || typeof by !== "string" || refused(() => keyReader(by)) !== null) return [];
  if (by.includes("+")) {
    const message = "lists values of by, which has several parts here; count by one part, or leave this out";
    return [{ path: ["allowKeys"], message }];
  }
  const keyOf = keyOfTexts(by);
  const message = "is no address, as by has it; write for example 192.0.2.7";
  return allowKeys.flatMap((text, at) => (keyOf([text]) === null ? [{ path: ["allowKeys", at], message }] : []));
}

type Options = z.output<z.ZodObject<typeof fields>>;

function checkTogether({ value, issues }: z.core.ParsePayload<Options>): void {
  const { least } = costReader(value.cost);
  const faults = faultsOf(value, least, []);
  for (const [name, one] of Object.entries(value.tiers ?? {})) {
    if (name === "by" || typeof one !== "object") continue;
    if (!/^[\w .-]{1,64}$/.test(name)) {
      faults.push({ path: ["tiers", name], message: "is no name of a tier; write letters, digits, dots and dashes" });
    }
    faults.push(...faultsOf({ ...one, algorithm: value.algorithm, per: one.per ?? value.per }, least, ["tiers", name]));
  }
  faults.push(...allowFaults(value));
  for (const { path, message } of faults) issues.push({ code: "custom", input: value, path: [...path], message });
}

/** The options of `rate-limit`. */
export const rateLimitOptions = z.strictObject(fields).check(checkTogether);

export type RateLimitOptions = z.output<typeof rateLimitOptions>;
export type Tier = z.output<typeof tier>;
