import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import type { Bucket } from "./bucket.ts";
import { BUCKET_SCRIPT } from "./bucket-script.ts";
import type { Clock } from "./clock.ts";
import type { Numbers } from "./numbers.ts";
import type { Presence } from "./presence.ts";
import { keepOf, pace, takeLoan, wantOf } from "./sizing.ts";
import { KEPT_MS, LEASE_MS } from "./units.ts";

const FAILED_MS = 50;
/** Sums beyond this begin anew. */
const SUM_MOST = 1e15;

export interface LenderDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Null: no other gateway shares the store. */
  readonly presence: Presence | null;
  readonly numbers: Numbers;
  /** A name that no lease ever had. */
  nextField(): string;
  /** Told of each call, and of each answer. */
  onCall(): void;
  onAnswer(): void;
  /** Called with a bucket that holds a lease. */
  onHeld(bucket: Bucket): void;
}

/** Borrows for buckets, one call at a time for each. */
export interface Lender {
  /** Whether a call can be made now. */
  canCall(bucket: Bucket, nowMs: number): boolean;
  /** Settles, and asks for at least so much and for what the demand calls for. To be called while none is under way. */
  borrow(bucket: Bucket, need: number, nowMs: number): Promise<void>;
  /** Settles, and gives back so much of what is held. Resolves with whether the store has it. */
  settle(bucket: Bucket, give: number, nowMs: number): Promise<boolean>;
  /** What a bucket keeps without being asked for more. */
  keep(bucket: Bucket): number;
}

interface Ask {
  readonly want: number;
  readonly need: number;
  readonly give: number;
}

const NO_VIEW: readonly string[] = ["0", "1000000"];

/** One call at a time. */
function alone(bucket: Bucket, step: () => Promise<boolean>): Promise<boolean> {
  const done = step();
  const ended = done.then(() => {
    if (bucket.call === ended) bucket.call = null;
  });
  bucket.call = ended;
  return done;
}

/** Makes the lender of one limiter. */
export function createLender(deps: LenderDeps): Lender {
  const { store, clock, presence, numbers } = deps;
  const limits = [String(numbers.limit), String(numbers.perMs * 1000), String(numbers.burst)];

  function args(bucket: Bucket, { want, need, give }: Ask, nowMs: number): string[] {
    const view = presence?.view(nowMs) ?? null;
    // Clocks may differ in speed: two parts in a hundred less than it was.
    const quiet = Math.floor(Math.max(0, nowMs - bucket.spentAt) * 980);
    const lease = [bucket.sequence, bucket.spent, bucket.granted, want, need, bucket.unit, give, quiet].map(String);
    const known = presence === null ? ["-1"] : [String(view?.at ?? 0)];
    return [...limits, bucket.field, ...lease, ...known, String(KEPT_MS + LEASE_MS), ...(view?.history ?? NO_VIEW)];
  }

  async function call(bucket: Bucket, ask: Ask, nowMs: number): Promise<boolean> {
    if (bucket.spent > SUM_MOST) bucket.restart(deps.nextField());
    const held = Math.max(0, bucket.held(nowMs)) - ask.give;
    bucket.sequence++;
    bucket.granted -= ask.give;
    bucket.reported = bucket.spent;
    deps.onCall();
    try {
      // What is given back is still the lease's as far as the store knows.
      const lease = args(bucket, ask, nowMs);
      lease[6] = String(bucket.granted + ask.give);
      const loan = await store.script(BUCKET_SCRIPT, { keys: [bucket.storeKey], args: lease });
      deps.onAnswer();
      if (loan.status === "done") {
        const asked = { ...ask, sentMs: nowMs, held };
        takeLoan(bucket, loan, { asked, nowMs: clock.nowMs() });
        if (ask.want > 0) pace(bucket, loan, { asked, nowMs: clock.nowMs(), numbers });
        if (bucket.granted > bucket.spent) deps.onHeld(bucket);
        return true;
      }
      if (loan.status === "unsure") presence?.renew();
    } catch (error) {
      // It did not get there: what was to be given back is still held.
      if (error instanceof StoreError && !error.mayHaveRun) bucket.granted += ask.give;
    }
    bucket.failedUntil = clock.nowMs() + FAILED_MS;
    return false;
  }

  return {
    canCall: (bucket, nowMs) =>
      nowMs >= bucket.failedUntil && (presence === null || presence.view(nowMs) !== null) && store.state !== "away",
    borrow: async (bucket, need, nowMs) => {
      bucket.measure(nowMs);
      const want = Math.max(need, wantOf(bucket, numbers, nowMs));
      await alone(bucket, () => call(bucket, { want, need, give: 0 }, nowMs));
    },
    settle: (bucket, give, nowMs) => alone(bucket, () => call(bucket, { want: 0, need: 0, give }, nowMs)),
    keep: (bucket) => keepOf(bucket, numbers),
  };
}
