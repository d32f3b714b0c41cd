import * as z from "zod";
import type { HedgePolicy, RetryCondition, RetryPolicy } from "../service/options.ts";
import { durationMs } from "./scalars.ts";
import { hint } from "./wording.ts";

const MOST_ATTEMPTS = 10;

const attemptsHint = hint(`a whole number from 1 to ${MOST_ATTEMPTS}`, "for example 2; without retry there are none");
const attempts = z
  .int({ error: attemptsHint })
  .min(1, { error: attemptsHint })
  .max(MOST_ATTEMPTS, { error: attemptsHint });

const ERRORS = ["connect_failure", "reset", "timeout"] as const;
const GRPC = ["cancelled", "deadline_exceeded", "internal", "resource_exhausted", "unavailable"] as const;
const WORDS = [...ERRORS, ...GRPC];
const conditionHint = hint(
  "a reason for a retry",
  `${ERRORS.join(", ")}, 429, a status from 500 to 599, or of gRPC ${GRPC.join(", ")}`,
);
const status = z.int({ error: conditionHint }).refine((code) => code === 429 || (code >= 500 && code <= 599), {
  error: conditionHint,
});
const condition = z.union([z.enum(WORDS, { error: conditionHint }), status], { error: conditionHint });

const budgetHint = hint("a share of the requests", "a percentage from 0% to 100%, for example 20%");
const budget = z
  .string({ error: budgetHint })
  .regex(/^(?:100|\d{1,2})%$/, { error: budgetHint })
  .transform((text) => Number(text.slice(0, -1)) / 100);

const DEFAULT_BACKOFF_MS = 25;
const DEFAULT_BUDGET = 0.2;
const DEFAULT_ON: readonly RetryCondition[] = ["connect_failure", "reset", 502, 503, 504];

const hedgesHint = hint(`a whole number from 1 to ${MOST_ATTEMPTS}`, "for example 1; without hedge there are none");
const afterHint = hint("a time to wait", "a duration such as 100ms, or a share of recent responses from p50 to p99");
const someTime = durationMs.refine((ms) => ms > 0, { error: "is no time at all; write for example 100ms" });
const share = z
  .string({ error: afterHint })
  .regex(/^p[5-9]\d$/, { error: afterHint })
  .transform((text) => ({ share: Number(text.slice(1)) / 100 }));

const hedge = z.strictObject({
  after: z.union([someTime, share], { error: afterHint }),
  max: z.int({ error: hedgesHint }).min(1, { error: hedgesHint }).max(MOST_ATTEMPTS, { error: hedgesHint }).default(1),
});

const fields = z.strictObject({
  attempts: attempts.default(1),
  on: z
    .array(condition)
    .min(1)
    .default([...DEFAULT_ON]),
  backoff: durationMs.default(DEFAULT_BACKOFF_MS),
  budget: budget.default(DEFAULT_BUDGET),
  perTryTimeout: durationMs.optional(),
  nonIdempotent: z.boolean().default(false),
  hedge: hedge.optional(),
});

/** The `retry` part of a route. */
export const retry = fields
  .refine(({ attempts, hedge }) => hedge === undefined || hedge.max <= attempts, {
    path: ["hedge", "max"],
    error: "is more than attempts, which hedges are some of; write a larger attempts beside it",
  })
  .refine(
    ({ perTryTimeout = 0, hedge }) =>
      hedge === undefined || perTryTimeout === 0 || typeof hedge.after !== "number" || hedge.after < perTryTimeout,
    {
      path: ["hedge", "after"],
      error: "is not less than perTryTimeout, so that there would never be a hedge",
    },
  );

const codeHint = hint("a status for a retry", "400 to 599");
const code = z.int({ error: codeHint }).min(400, { error: codeHint }).max(599, { error: codeHint });

/** The `retry` part of an HTTPRoute's rule. */
export const httpRouteRetry = z.strictObject({
  codes: z.array(code).default([502, 503, 504]),
  attempts: attempts.default(1),
  backoff: durationMs.default(DEFAULT_BACKOFF_MS),
});

/**
 * What a rule's `retry` says; null for one without. Beside its codes it is for connections that fail or close, and for
 * attempts that take too long, and `backoff` is the shortest pause, as the Gateway API has it.
 */
export function httpRouteRetryPolicy(written: z.output<typeof httpRouteRetry> | undefined): RetryPolicy | null {
  if (written === undefined) return null;
  return Object.freeze({
    attempts: written.attempts,
    on: [...ERRORS, ...written.codes],
    backoffMs: written.backoff,
    leastPauseMs: written.backoff,
    budgetShare: DEFAULT_BUDGET,
    nonIdempotent: false,
    hedge: null,
  });
}

/** What a route's `retry` says; null for one without. */
export function retryPolicy(written: z.output<typeof retry> | undefined): RetryPolicy | null {
  if (written === undefined) return null;
  return Object.freeze({
    attempts: written.attempts,
    on: written.on,
    backoffMs: written.backoff,
    leastPauseMs: 0,
    budgetShare: written.budget,
    nonIdempotent: written.nonIdempotent,
    hedge: written.hedge === undefined ? null : hedgePolicy(written.hedge),
  });
}

function hedgePolicy({ after, max }: z.output<typeof hedge>): HedgePolicy {
  return Object.freeze(
    typeof after === "number" ? { afterMs: after, share: 0, max } : { afterMs: null, share: after.share, max },
  );
}
