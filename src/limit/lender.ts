import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import type { Bucket } from "./bucket.ts";
import { BUCKET_SCRIPT, type Loan } from "./bucket-script.ts";
import type { Clock } from "./clock.ts";
import type { Numbers } from "./numbers.ts";
import type { Presence } from "./presence.ts";
import { GUARD_MS, KEPT_MS, LEASE_MS } from "./units.ts";

/**
 * Demand that a lease is to last for while the store has plenty: half of it lasts about until shares may
 * be spent without it. */
const RICH_MS = 4000;
const SCARCE_MS = 60;
/** Demand for which what is held may be kept while the store has little. */
const KEEP_SCARCE_MS = 400;
/** More is asked for when what is held lasts no longer than this. */
const AHEAD_MS = 8;
/** From this part of the limit on, demand may be more than it. */
const CROWDED = 0.9;
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

/** Requests that a question to the store should be asked for, where there is too little for all of them. */
const REQUESTS_PER_POLL = 40;

/** Time between two questions for a key that has too little: what comes meanwhile stays in the store, and fits there. */
function pollMsOf({ demand, unit }: Bucket, { minPollMs, maxPollMs }: Numbers): number {
  return Math.max(minPollMs, Math.min(maxPollMs, (REQUESTS_PER_POLL * unit) / demand));
}

const NO_VIEW: readonly string[] = ["0", "1000000"];

/** Makes the lender of one limiter. */
export function createLender(deps: LenderDeps): Lender {
  const { store, clock, presence, numbers } = deps;
  const limits = [String(numbers.limit), String(numbers.perMs * 1000), String(numbers.burst)];

  function isRich(bucket: Bucket): boolean {
    return bucket.left * 4 > numbers.burst;
  }

  function isCrowded(bucket: Bucket, demand: number): boolean {
    return demand * bucket.needy > numbers.rate * CROWDED;
  }

  /** Where there is plenty, more is asked for when half is spent: the store may be away from any moment on. */
  function lowOf(bucket: Bucket, held: number): number {
    const hasPlenty = isRich(bucket) && !isCrowded(bucket, bucket.demand);
    return Math.min(bucket.demand * (hasPlenty ? RICH_MS / 2 : AHEAD_MS), held / 2);
  }

  /**
   * As much as lasts for long, if all that is asked for can be had. Where more is asked for than comes, little: while the
   * store is full, nothing comes in beside what was lent, until it is told that it was spent.
   */
  function wantedOf(bucket: Bucket, nowMs: number): number {
    const rush = bucket.rush(nowMs);
    if (!isRich(bucket)) return rush * SCARCE_MS;
    if (isCrowded(bucket, rush)) return Math.max(rush * SCARCE_MS, numbers.burst / 16);
    const wanted = rush * RICH_MS - Math.max(0, bucket.held(nowMs));
    // What is lent of a key that is asked for once in a while would be kept up, and then given back: two calls more.
    return wanted < bucket.unit ? bucket.unit : Math.max(wanted, numbers.minChunk);
  }

  function args(bucket: Bucket, { want, need, give }: Ask, nowMs: number): string[] {
    const view = presence?.view(nowMs) ?? null;
    // Clocks may differ in speed: two parts in a hundred less than it was.
    const quiet = Math.floor(Math.max(0, nowMs - bucket.spentAt) * 980);
    const lease = [bucket.sequence, bucket.spent, bucket.granted, want, need, bucket.unit, give, quiet].map(String);
    const known = presence === null ? ["-1"] : [String(view?.at ?? 0)];
    return [...limits, bucket.field, ...lease, ...known, String(KEPT_MS + LEASE_MS), ...(view?.history ?? NO_VIEW)];
  }

  function taken(bucket: Bucket, loan: Loan, sent: Ask & { atMs: number; held: number }): void {
    const nowMs = clock.nowMs();
    bucket.granted = loan.granted;
    bucket.endsAt = sent.atMs + LEASE_MS - GUARD_MS;
    bucket.left = loan.tokens;
    bucket.needy = loan.needy;
    const held = bucket.held(nowMs);
    if (held > 0) deps.onHeld(bucket);
    if (sent.want === 0) return;
    bucket.low = lowOf(bucket, held);
    const pollMs = pollMsOf(bucket, numbers);
    const isPoor = loan.tokens < numbers.rate * pollMs;
    if (loan.waitMicros > 0) {
      bucket.deniedUntil = nowMs + Math.max(loan.waitMicros / 1000, pollMs);
      bucket.deniedNeed = sent.need;
    } else if (loan.tokens < bucket.unit && bucket.unit * 4 <= numbers.burst) {
      bucket.deniedUntil = nowMs + Math.max((bucket.unit - loan.tokens) / numbers.rate, pollMs);
      bucket.deniedNeed = Math.max(0, loan.tokens) + 1;
    } else if (isPoor && held < sent.held + sent.want) {
      bucket.deniedUntil = nowMs + pollMs;
      bucket.deniedNeed = 0;
    } else bucket.deniedUntil = 0;
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
        taken(bucket, loan, { ...ask, atMs: nowMs, held });
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

  function alone(bucket: Bucket, step: () => Promise<boolean>): Promise<boolean> {
    const done = step();
    const ended = done.then(() => {
      if (bucket.call === ended) bucket.call = null;
    });
    bucket.call = ended;
    return done;
  }

  return {
    canCall: (bucket, nowMs) =>
      nowMs >= bucket.failedUntil && (presence === null || presence.view(nowMs) !== null) && store.state !== "away",
    borrow: async (bucket, need, nowMs) => {
      bucket.measure(nowMs);
      const wanted = wantedOf(bucket, nowMs);
      const most = Math.max(bucket.unit, numbers.maxChunk);
      const whole = Math.ceil(Math.min(most, Math.max(bucket.unit, wanted)) / bucket.unit) * bucket.unit;
      const want = Math.max(need, whole);
      await alone(bucket, () => call(bucket, { want, need, give: 0 }, nowMs));
    },
    settle: (bucket, give, nowMs) => alone(bucket, () => call(bucket, { want: 0, need: 0, give }, nowMs)),
    keep: (bucket) => Math.ceil(bucket.demand * (isRich(bucket) ? RICH_MS : KEEP_SCARCE_MS)) + numbers.minChunk,
  };
}
