import type { Algorithm, Asked } from "./algorithm.ts";
import type { Bucket } from "./bucket.ts";
import { type AlgorithmDeps, NO_VIEW } from "./bucket-algorithm.ts";
import { limitKey } from "./key.ts";
import type { LimitSpec } from "./limit.ts";
import { type Numbers, numbersOf } from "./numbers.ts";
import { lowOf, pollMsOf } from "./sizing.ts";
import { GUARD_MS, LEASE_MS, LENT_POLL_MS, SHARES_POLL_MS } from "./units.ts";
import { WINDOW_PARTS } from "./window-lua.ts";
import { WINDOW_SCRIPT, type WindowLoan } from "./window-script.ts";
import { createWindowShares } from "./window-share.ts";
import { Trail } from "./window-trail.ts";

/** Of a lease that ends with its window, as a gateway's clock may be slower than the store's. */
const SHORTER = 0.98;

interface Taking {
  readonly asked: Asked;
  readonly nowMs: number;
  readonly numbers: Numbers;
  readonly slides: boolean;
}

function takeLoan(bucket: Bucket, loan: WindowLoan, { asked, nowMs }: Taking): void {
  bucket.granted = loan.granted;
  // From before it was asked: so it ends earlier here than there.
  bucket.endsAt = asked.sentMs + Math.min(LEASE_MS - GUARD_MS, (loan.leaseMicros / 1000) * SHORTER - 1);
  bucket.left = loan.tokens;
  bucket.needy = loan.needy;
  bucket.resetAt = nowMs + loan.resetMicros / 1000;
  bucket.held(nowMs);
}

/** How soon to ask again for what comes back after so long, if nobody gives it back before. */
function askAgainMs(loan: WindowLoan, dueMs: number, { pollMs, slides }: { pollMs: number; slides: boolean }): number {
  const leastMs = slides ? Math.max(dueMs, pollMs) : dueMs;
  if (loan.hope === "leases") return Math.min(leastMs, Math.max(LENT_POLL_MS, pollMs));
  return loan.hope === "shares" ? Math.min(leastMs, SHARES_POLL_MS) : leastMs;
}

/** Decides when more is asked for: soon before what is held runs out, but not while there is none. */
function pace(bucket: Bucket, loan: WindowLoan, { asked, nowMs, numbers, slides }: Taking): void {
  const held = bucket.held(nowMs);
  const pollMs = pollMsOf(bucket, numbers);
  bucket.low = lowOf(bucket, numbers, held);
  bucket.deniedUntil = 0;
  bucket.retryAt = 0;
  const isSpent = loan.tokens < bucket.unit;
  if (loan.waitMicros > 0 || isSpent) {
    const dueMs = (loan.waitMicros > 0 ? loan.waitMicros : loan.firstMicros) / 1000;
    bucket.deniedNeed = loan.waitMicros > 0 ? asked.need : Math.max(0, loan.tokens) + 1;
    bucket.retryAt = nowMs + dueMs;
    bucket.deniedUntil = nowMs + askAgainMs(loan, dueMs, { pollMs, slides });
  } else if (slides && loan.tokens < numbers.rate * pollMs && held < asked.held + asked.want) {
    bucket.deniedUntil = nowMs + pollMs;
    bucket.deniedNeed = 0;
  }
}

function resetAtOf({ resetAt, spends, spent, spentAt }: Bucket, { perMs }: Numbers, slides: boolean): number {
  const ofShare = spends?.at(-2) ?? 0;
  const own = slides && spent > 0 ? spentAt + perMs + perMs / WINDOW_PARTS : 0;
  return Math.max(resetAt, ofShare, own);
}

function note(bucket: Bucket, micro: number, { nowMs, trailMs }: { nowMs: number; trailMs: number }): void {
  bucket.trail ??= new Trail(trailMs);
  bucket.trail.add(micro, nowMs);
}

/**
 * Windows of the store's clock that begin at whole multiples of their length since 1970, or one that slides. Throws a
 * RangeError for numbers that are none of a spec.
 */
export function limitWindow(spec: LimitSpec, deps: AlgorithmDeps): Algorithm {
  const numbers = numbersOf(spec);
  const slides = spec.algorithm === "sliding_window";
  // Where nobody ever enforces a share, none is withheld for who is gone.
  const presence = spec.onStoreError === "local" ? deps.presence : null;
  const frame = [String(numbers.limit), String(numbers.perMs * 1000), slides ? "1" : "0"];
  const trailMs = numbers.perMs / WINDOW_PARTS / 2;
  return {
    numbers,
    shares: createWindowShares({ numbers, slides, presence }),
    storeKey: (key) => limitKey(slides ? "s" : "f", `${spec.name}.${spec.perMs}`, key),
    onSpend: slides ? (bucket, micro, nowMs) => note(bucket, micro, { nowMs, trailMs }) : null,
    resetMs: (bucket, _, nowMs) => {
      return bucket === null ? 0 : Math.max(0, Math.ceil(resetAtOf(bucket, numbers, slides) - nowMs));
    },
    ask: async (bucket, { want, need, give }, nowMs) => {
      const view = presence?.view(nowMs) ?? null;
      // Clocks may differ in speed: two parts in a hundred less than it was.
      const quiet = Math.floor(Math.max(0, nowMs - bucket.spentAt) * 980);
      // What is given back is still the lease's as far as the store knows.
      const known = bucket.granted + give;
      const lease = [bucket.sequence, bucket.spent, known, want, need, bucket.unit, give, quiet].map(String);
      const seen = presence === null ? "-1" : String(view?.at ?? 0);
      const spends = bucket.trail?.tell(nowMs) ?? "";
      const args = [...frame, bucket.field, ...lease, seen, spends, ...(view?.history ?? NO_VIEW)];
      const loan = await deps.store.script(WINDOW_SCRIPT, { keys: [bucket.storeKey], args });
      return {
        status: loan.status,
        take: (asked, tookMs) => {
          const taking = { asked, nowMs: tookMs, numbers, slides };
          takeLoan(bucket, loan, taking);
          if (asked.want > 0) pace(bucket, loan, taking);
        },
      };
    },
  };
}
