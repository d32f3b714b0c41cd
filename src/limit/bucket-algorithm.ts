import type { Store } from "../store/store.ts";
import type { Algorithm, Shares } from "./algorithm.ts";
import { BUCKET_SCRIPT } from "./bucket-script.ts";
import { limitKey } from "./key.ts";
import type { LimitSpec } from "./limit.ts";
import { type Numbers, numbersOf } from "./numbers.ts";
import type { Presence } from "./presence.ts";
import { isShareFull, refillShare, shareWaitMs } from "./share.ts";
import { pace, takeLoan } from "./sizing.ts";
import { BRIEF_MS, KEPT_MS, LEASE_MS } from "./units.ts";

/** All of a limit may be lent. */
export const NO_VIEW: readonly string[] = ["0", "1000000"];

export interface AlgorithmDeps {
  readonly store: Pick<Store, "script">;
  /** Null: no other gateway shares the store. */
  readonly presence: Presence | null;
}

function sharesOf(numbers: Numbers): Shares {
  return {
    available: (bucket, share, nowMs) => refillShare(bucket, numbers, share, nowMs),
    spend: (bucket, micro) => {
      bucket.level -= micro;
    },
    isFull: (bucket, share, nowMs) => isShareFull(bucket, numbers, share, nowMs),
    waitMs: (bucket, share, { micro }) => shareWaitMs(bucket, numbers, share, micro),
  };
}

/** Tokens flow in evenly up to the burst. Throws a RangeError for numbers that are none of a spec. */
export function tokenBucket(spec: LimitSpec, { store, presence }: AlgorithmDeps): Algorithm {
  const numbers = numbersOf(spec);
  const limits = [String(numbers.limit), String(numbers.perMs * 1000), String(numbers.burst)];
  return {
    numbers,
    shares: sharesOf(numbers),
    storeKey: (key) => limitKey("b", spec.name, key),
    onSpend: null,
    resetMs: (_, left) => (left < numbers.burst ? Math.ceil((numbers.burst - left) / numbers.rate) : 0),
    ask: async (bucket, { want, need, give, isBrief }, nowMs) => {
      const view = presence?.view(nowMs) ?? null;
      // Clocks may differ in speed: two parts in a hundred less than it was.
      const quiet = Math.floor(Math.max(0, nowMs - bucket.spentAt) * 980);
      // What is given back is still the lease's as far as the store knows.
      const known = bucket.granted + give;
      const lease = [bucket.sequence, bucket.spent, known, want, need, bucket.unit, give, quiet].map(String);
      const seen = presence === null ? "-1" : String(view?.at ?? 0);
      const kept = String(KEPT_MS + LEASE_MS);
      const life = String((isBrief ? BRIEF_MS : LEASE_MS) * 1000);
      const args = [...limits, bucket.field, ...lease, seen, kept, life, ...(view?.history ?? NO_VIEW)];
      const loan = await store.script(BUCKET_SCRIPT, { keys: [bucket.storeKey], args });
      return {
        status: loan.status,
        take: (asked, tookMs) => {
          takeLoan(bucket, loan, { asked, nowMs: tookMs });
          if (asked.want > 0) pace(bucket, loan, { asked, nowMs: tookMs, numbers });
        },
      };
    },
  };
}
