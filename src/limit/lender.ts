import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import type { Algorithm, Ask } from "./algorithm.ts";
import type { Bucket } from "./bucket.ts";
import { callAlone } from "./calling.ts";
import type { Clock } from "./clock.ts";
import type { Presence } from "./presence.ts";
import { isRare, keepOf, wantOf } from "./sizing.ts";

const FAILED_MS = 50;
/** Sums beyond this begin anew. */
const SUM_MOST = 1e15;

export interface LenderDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Null: no other gateway shares the store. */
  readonly presence: Presence | null;
  readonly algorithm: Algorithm;
  /** A name that no lease ever had. */
  nextField(): string;
  /** Told of each call, and of each answer. */
  onCall(): void;
  onAnswer(nowMs: number): void;
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

/** One call at a time. */
function alone(bucket: Bucket, step: () => Promise<boolean>): Promise<boolean> {
  return callAlone(bucket, step, () => {
    bucket.isLate = false;
  });
}

/** Makes the lender of one limiter. */
export function createLender(deps: LenderDeps): Lender {
  const { store, clock, presence, algorithm } = deps;
  const { numbers } = algorithm;

  async function call(bucket: Bucket, ask: Ask, nowMs: number): Promise<boolean> {
    if (bucket.spent > SUM_MOST) bucket.restart(deps.nextField());
    const held = Math.max(0, bucket.held(nowMs)) - ask.give;
    bucket.sequence++;
    bucket.granted -= ask.give;
    bucket.reported = bucket.spent;
    deps.onCall();
    try {
      const answer = await algorithm.ask(bucket, ask, nowMs);
      deps.onAnswer(clock.nowMs());
      if (answer.status === "done") {
        answer.take({ ...ask, sentMs: nowMs, held }, clock.nowMs());
        if (bucket.granted > bucket.spent && !bucket.isBrief) deps.onHeld(bucket);
        return true;
      }
      if (answer.status === "unsure") presence?.renew();
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
      const isBrief = isRare(bucket, numbers, nowMs);
      const want = isBrief ? need : Math.max(need, wantOf(bucket, numbers, nowMs));
      await alone(bucket, () => call(bucket, { want, need, give: 0, isBrief }, nowMs));
    },
    settle: (bucket, give, nowMs) =>
      alone(bucket, () => call(bucket, { want: 0, need: 0, give, isBrief: false }, nowMs)),
    keep: (bucket) => keepOf(bucket, numbers),
  };
}
