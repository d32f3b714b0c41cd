import type { PluginContext, Verdict } from "../../src/plugin.ts";

export interface FieldsOptions {
  /** As it stands in the fields. */
  readonly name: string;
  readonly limit: number;
  readonly perMs: number;
  /** Bytes are counted, one by one. */
  readonly countsBytes: boolean;
  readonly form: "draft" | "legacy" | "both" | "off";
}

/** What a verdict tells clients. */
type Told = Pick<Verdict, "isAdmitted" | "limit" | "remaining" | "resetMs" | "retryAfterMs">;

/** Writes what a limit tells clients into the response, or into the one that will be. */
export type WriteFields = (context: PluginContext, verdict: Told) => void;

const APPENDED = { append: true } as const;

/** Least that a limit of this request left, as the legacy fields have it. */
const LEAST = "torii.rateLimitRemaining";

/** Whole seconds, rounded up: an earlier try would be in vain. */
export function secondsOf(ms: number): number {
  return Math.min(Math.ceil(ms / 1000), 999_999_999_999);
}

/** Both must be whole: where they are not, a number of seconds that comes nearest, and no more than it allows. */
function wholePolicy(limit: number, perMs: number): { readonly quota: number; readonly seconds: number } {
  const perSecond = (limit * 1000) / perMs;
  const seconds = Math.max(1, Math.ceil(perMs / 1000), Math.ceil(1 / perSecond));
  const isWhole = seconds * 1000 === perMs;
  return { quota: Math.floor(isWhole ? limit : perSecond * seconds), seconds };
}

/** Null for `off`. The partition key is left out: it would tell what is counted by. */
export function fieldsWriter({ name, limit, perMs, countsBytes, form }: FieldsOptions): WriteFields | null {
  const { quota, seconds } = wholePolicy(limit, perMs);
  const policy = `"${name}";q=${quota};w=${seconds}${countsBytes ? ';qu="content-bytes"' : ""}`;
  const draft: WriteFields = (context, verdict) => {
    context.header("RateLimit-Policy", policy, APPENDED);
    context.header("RateLimit", `"${name}";r=${verdict.remaining};t=${secondsOf(waitOf(verdict))}`, APPENDED);
  };
  if (form === "off") return null;
  if (form === "draft") return draft;
  if (form === "legacy") return legacy;
  return (context, verdict) => {
    draft(context, verdict);
    legacy(context, verdict);
  };
}

/** A client must not be told to come before it will be let in. */
function waitOf({ isAdmitted, retryAfterMs, resetMs }: Told): number {
  return isAdmitted || !Number.isFinite(retryAfterMs) ? resetMs : retryAfterMs;
}

/** There is one of each: the limit that leaves the least speaks. */
function legacy(context: PluginContext, verdict: Told): void {
  const before: unknown = context.get(LEAST);
  if (typeof before === "number" && before <= verdict.remaining) return;
  context.set(LEAST, verdict.remaining);
  context.header("X-RateLimit-Limit", String(Math.max(1, Math.floor(verdict.limit))));
  context.header("X-RateLimit-Remaining", String(verdict.remaining));
  context.header("X-RateLimit-Reset", String(secondsOf(waitOf(verdict))));
}
