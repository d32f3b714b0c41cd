import * as z from "zod";
import type { RetryCondition, RetryPolicy } from "../service/options.ts";
import { durationMs } from "./scalars.ts";
import { hint } from "./wording.ts";

const MOST_ATTEMPTS = 10;

const attemptsHint = hint(`a whole number from 1 to ${MOST_ATTEMPTS}`, "for example 2; without retry there are none");
const attempts = z
  .int({ error: attemptsHint })
  .min(1, { error: attemptsHint })
  .max(MOST_ATTEMPTS, { error: attemptsHint });

const WORDS = ["connect_failure", "reset", "timeout"] as const;
const conditionHint = hint("a reason for a retry", `${WORDS.join(", ")}, 429, or a status from 500 to 599`);
const status = z.int({ error: conditionHint }).refine((code) => code === 429 || (code >= 500 && code <= 599), {
  error: conditionHint,
});
const condition = z.union([z.enum(WORDS, { error: conditionHint }), status], { error: conditionHint });

const budgetHint = hint("a share of the requests", "a percentage from 0% to 100%, for example 20%");
const budget = z
  .string({ error: budgetHint })
  .regex(/^(?:100|\d{1,2})%$/, { error: budgetHint })
  .transform((text) => Number(text.slice(0, -1)) / 100);

const DEFAULT_ON: readonly RetryCondition[] = ["connect_failure", "reset", 502, 503, 504];

/** The `retry` part of a route. */
export const retry = z.strictObject({
  attempts: attempts.default(1),
  on: z
    .array(condition)
    .min(1)
    .default([...DEFAULT_ON]),
  backoff: durationMs.default(25),
  budget: budget.default(0.2),
  perTryTimeout: durationMs.optional(),
  nonIdempotent: z.boolean().default(false),
});

/** What a route's `retry` says; null for one without. */
export function retryPolicy(written: z.output<typeof retry> | undefined): RetryPolicy | null {
  if (written === undefined) return null;
  return Object.freeze({
    attempts: written.attempts,
    on: written.on,
    backoffMs: written.backoff,
    budgetShare: written.budget,
    nonIdempotent: written.nonIdempotent,
  });
}
