import type { Store } from "../store/store.ts";
import type { Algorithm } from "./algorithm.ts";
import type { Bucket } from "./bucket.ts";
import { tokenBucket } from "./bucket-algorithm.ts";
import { type Buckets, createBuckets } from "./buckets.ts";
import type { Clock } from "./clock.ts";
import { createLender, type Lender } from "./lender.ts";
import type { Limiter, LimiterState, LimitSpec, Verdict } from "./limit.ts";
import type { Numbers } from "./numbers.ts";
import { afterTurns } from "./patience.ts";
import type { Presence } from "./presence.ts";
import type { Share } from "./share.ts";
import { MICRO, microOfCost } from "./units.ts";
import { limitWindow } from "./window-algorithm.ts";

/** A key that nobody asked for in so long is given back and dropped. */
const IDLE_MS = 2000;
/** Nothing spent in so long: a key rests. */
const QUIET_MS = 100;
/** So also one that is asked for less often than that. */
const LONG_QUIET_MS = 500;
/** A lease that is still needed is renewed so long before its end. */
const RENEW_MS = 1000;
/** When a refusal that the store had no part in is worth another try. */
const AWAY_RETRY_MS = 200;
/** Times that a request may have waited for nothing: what comes for others is not counted. */
const TRIES = 3;
/** The bursts that one charge takes at most: a wrong amount must not shut a key out for years. */
const MOST_CHARGED = 1000;
const NEVER = Number.POSITIVE_INFINITY;

export interface LimiterDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly presence: Presence | null;
  /** How long a request waits for the store. */
  readonly deadlineMs: number;
  readonly nextField: () => string;
  readonly hasRoom: () => boolean;
  /**
   * Whether the store was asked and has answered nothing for as long as a request waits: from then on none does until it
   * answers; when it did so last; and how often it was asked.
   */
  readonly health: { isSilent: boolean; answeredMs: number; calls: number };
  /** Has the sweep look at a bucket after so many of its ticks. */
  watch(bucket: Bucket, limiter: TokenLimiter, ticks: number): void;
}

/** What the sweep of all limiters needs of one. */
export interface TokenLimiter extends Limiter {
  /** Gives back what is too much, settles, and drops what is idle. */
  visit(bucket: Bucket, nowMs: number): void;
  /** Hands everything back. */
  release(): Promise<void>;
  readonly size: number;
  state(): LimiterState;
}

interface Told {
  readonly isAdmitted: boolean;
  readonly retryAfterMs: number;
  readonly mode: Verdict["mode"];
  readonly nowMs: number;
}

function algorithmOf(spec: LimitSpec, deps: LimiterDeps): Algorithm {
  return spec.algorithm === "token_bucket" ? tokenBucket(spec, deps) : limitWindow(spec, deps);
}

class TokenBuckets implements TokenLimiter {
  readonly #deps: LimiterDeps;
  readonly #spec: LimitSpec;
  readonly #algorithm: Algorithm;
  readonly #numbers: Numbers;
  readonly #onSpend: Algorithm["onSpend"];
  readonly #lender: Lender;
  readonly #buckets: Buckets;
  /** Nothing is lent any more: nobody would hand it back. */
  #isReleased = false;
  #admitted = 0;
  #refused = 0;

  constructor(spec: LimitSpec, deps: LimiterDeps) {
    this.#deps = deps;
    this.#spec = spec;
    const algorithm = algorithmOf(spec, deps);
    const { numbers } = algorithm;
    this.#algorithm = algorithm;
    this.#numbers = numbers;
    this.#onSpend = algorithm.onSpend;
    this.#lender = createLender({
      ...deps,
      algorithm,
      onCall: () => void deps.health.calls++,
      onAnswer: (nowMs) => {
        deps.health.isSilent = false;
        deps.health.answeredMs = nowMs;
      },
      onHeld: (bucket) => deps.watch(bucket, this, 2),
    });
    this.#buckets = createBuckets({
      storeKey: algorithm.storeKey,
      burst: numbers.burst,
      hasRoom: deps.hasRoom,
      nextField: deps.nextField,
      canDrop: (bucket, nowMs) => this.#canDrop(bucket, nowMs),
      dropped: (bucket, nowMs) => this.#giveAll(bucket, nowMs),
    });
  }

  get size(): number {
    return this.#buckets.map.size;
  }

  take(key: string, cost = 1): Verdict | Promise<Verdict> {
    const micro = microOfCost(cost);
    const nowMs = this.#deps.clock.nowMs();
    const bucket = this.#buckets.map.get(key);
    if (bucket === undefined) return this.#takeNew(key, micro, nowMs);
    bucket.used += micro;
    if (nowMs < bucket.endsAt && bucket.granted - bucket.spent >= micro) return this.#spend(bucket, micro, nowMs);
    return this.#decide(bucket, micro, nowMs);
  }

  #spend(bucket: Bucket, micro: number, nowMs: number): Verdict {
    bucket.spent += micro;
    bucket.spentAt = nowMs;
    this.#onSpend?.(bucket, micro, nowMs);
    this.#admitted++;
    const held = bucket.granted - bucket.spent;
    const told: Told = { isAdmitted: true, retryAfterMs: 0, mode: "leased", nowMs };
    const verdict = this.#verdict(bucket, bucket.left + held, told);
    // Only now: what is told to the store from here on includes this.
    if (held < bucket.low && bucket.call === null && nowMs >= bucket.deniedUntil) this.#ahead(bucket, nowMs);
    return verdict;
  }

  #ahead(bucket: Bucket, nowMs: number): void {
    if (this.#canCall(bucket, nowMs)) void this.#lender.borrow(bucket, bucket.unit, nowMs);
  }

  #verdict(bucket: Bucket | null, left: number, told: Told): Verdict {
    const remaining = left > 0 ? Math.floor(left / MICRO) : 0;
    const { isAdmitted, retryAfterMs, mode, nowMs } = told;
    const resetMs = this.#algorithm.resetMs(bucket, left, nowMs);
    const payer = isAdmitted && mode === "leased" ? bucket : null;
    const lease = payer === null ? "" : payer.field;
    const report = payer === null ? 0 : payer.sequence;
    return { isAdmitted, limit: this.#spec.limit, remaining, resetMs, retryAfterMs, mode, lease, report };
  }

  #refuse(bucket: Bucket | null, waitMs: number, { mode, nowMs }: Pick<Told, "mode" | "nowMs">): Verdict {
    this.#refused++;
    const left = mode === "local" ? (bucket?.level ?? 0) : Math.min(0, bucket?.left ?? 0);
    const retryAfterMs = waitMs === NEVER ? NEVER : Math.ceil(waitMs);
    return this.#verdict(bucket, left, { isAdmitted: false, retryAfterMs, mode, nowMs });
  }

  #takeNew(key: string, micro: number, nowMs: number): Verdict | Promise<Verdict> {
    const bucket = this.#buckets.add(key, nowMs);
    if (bucket === null) return this.#away(null, nowMs);
    bucket.used += micro;
    this.#deps.watch(bucket, this, 16);
    return this.#decide(bucket, micro, nowMs);
  }

  /** For a request that finds no lease. */
  #decide(bucket: Bucket, micro: number, nowMs: number): Verdict | Promise<Verdict> {
    return this.#decideNow(bucket, micro, nowMs) ?? this.#wait(bucket, micro, nowMs);
  }

  /** A verdict that needs no waiting; null: a call is under way that may bring what is needed. */
  #decideNow(bucket: Bucket, micro: number, nowMs: number): Verdict | null {
    if (micro > this.#numbers.burst) return this.#refuse(bucket, NEVER, { mode: "leased", nowMs });
    const held = bucket.held(nowMs);
    if (held >= micro && nowMs < bucket.endsAt) return this.#spend(bucket, micro, nowMs);
    if (micro === 0 && held >= 0) return this.#spend(bucket, 0, nowMs);
    const share = this.#share(nowMs);
    if (share !== null) return this.#takeShare(bucket, micro, { share, nowMs });
    const need = micro - held;
    if (nowMs < bucket.deniedUntil && need >= bucket.deniedNeed) {
      this.#report(bucket, nowMs);
      return this.#refuse(bucket, Math.max(bucket.deniedUntil, bucket.retryAt) - nowMs, { mode: "leased", nowMs });
    }
    if (bucket.call === null) {
      if (this.#isOpening()) return null;
      if (!this.#canCall(bucket, nowMs)) return this.#away(bucket, nowMs);
      bucket.unit = micro;
      void this.#lender.borrow(bucket, need, nowMs);
    }
    return this.#deps.health.isSilent || bucket.isLate ? this.#away(bucket, nowMs) : null;
  }

  /** Of a small burst, what is spent and not reported keeps the store from filling up: it is told at once. */
  #report(bucket: Bucket, nowMs: number): void {
    const isMuch = (bucket.spent - bucket.reported) * 4 >= this.#numbers.burst;
    if (isMuch && !bucket.isBrief && bucket.call === null && this.#canCall(bucket, nowMs)) {
      void this.#lender.settle(bucket, 0, nowMs);
    }
  }

  #canCall(bucket: Bucket, nowMs: number): boolean {
    return !this.#isReleased && this.#lender.canCall(bucket, nowMs);
  }

  #isOpening(): boolean {
    return this.#deps.presence?.isOpening === true;
  }

  async #wait(bucket: Bucket, micro: number, startedMs: number): Promise<Verdict> {
    const { clock, deadlineMs } = this.#deps;
    const late = Promise.withResolvers<"late">();
    const callOff = afterTurns(clock, deadlineMs, () => late.resolve("late"));
    bucket.waiting += micro;
    try {
      return (await this.#waited(bucket, micro, late.promise)) ?? this.#late(bucket, startedMs);
    } finally {
      bucket.waiting -= micro;
      callOff();
    }
  }

  /** Null: it took too long. */
  async #waited(bucket: Bucket, micro: number, late: Promise<"late">): Promise<Verdict | null> {
    const { clock, presence } = this.#deps;
    let left = TRIES;
    while (left > 0) {
      const before = bucket.granted;
      const call = bucket.call ?? presence?.first ?? null;
      if ((await Promise.race([call, late])) === "late") return null;
      const verdict = this.#decideNow(bucket, micro, clock.nowMs());
      if (verdict !== null) return verdict;
      if (bucket.granted <= before) left--;
    }
    return this.#refuse(bucket, this.#numbers.minPollMs, { mode: "leased", nowMs: clock.nowMs() });
  }

  #late(bucket: Bucket, startedMs: number): Verdict {
    const { health, clock } = this.#deps;
    bucket.isLate = bucket.call !== null;
    if (health.answeredMs <= startedMs) health.isSilent = true;
    return this.#away(bucket, clock.nowMs());
  }

  #share(nowMs: number): Share | null {
    const { presence } = this.#deps;
    if (presence === null || this.#spec.onStoreError !== "local") return null;
    const sinceMs = presence.localSince(nowMs);
    return sinceMs === null ? null : { part: presence.share, sinceMs };
  }

  #takeShare(bucket: Bucket, micro: number, { share, nowMs }: { share: Share; nowMs: number }): Verdict {
    const { shares } = this.#algorithm;
    if (shares.available(bucket, share, nowMs) < micro) {
      return this.#refuse(bucket, shares.waitMs(bucket, share, { micro, nowMs }), { mode: "local", nowMs });
    }
    shares.spend(bucket, micro, nowMs);
    this.#admitted++;
    return this.#verdict(bucket, bucket.level, { isAdmitted: true, retryAfterMs: 0, mode: "local", nowMs });
  }

  /** The store cannot be asked, and there is no share to spend. */
  #away(bucket: Bucket | null, nowMs: number): Verdict {
    const { onStoreError, limit } = this.#spec;
    if (onStoreError === "allow") {
      this.#admitted++;
      const none = { remaining: 0, resetMs: 0, retryAfterMs: 0, lease: "", report: 0 };
      return { isAdmitted: true, limit, mode: "allowed", ...none };
    }
    const { presence } = this.#deps;
    const isCut = presence !== null && presence.view(nowMs) === null;
    const retryMs = isCut ? Math.max(AWAY_RETRY_MS, presence.localFromMs - nowMs) : AWAY_RETRY_MS;
    return this.#refuse(bucket, retryMs, { mode: onStoreError === "deny" ? "denied" : "local", nowMs });
  }

  refund(key: string, cost: number, { lease, report }: Pick<Verdict, "lease" | "report">): void {
    const bucket = this.#buckets.map.get(key);
    // What the store was told of as spent has been refilled there since: it cannot be unspent.
    if (bucket === undefined || bucket.field !== lease || bucket.sequence !== report) return;
    const back = Math.min(microOfCost(cost), bucket.spent - bucket.reported);
    if (back > 0) bucket.spent -= back;
  }

  charge(key: string, cost: number): void {
    const nowMs = this.#deps.clock.nowMs();
    const bucket = this.#buckets.map.get(key) ?? this.#buckets.add(key, nowMs);
    const micro = Math.min(microOfCost(cost), MOST_CHARGED * this.#numbers.burst);
    if (bucket === null || micro === 0) return;
    const share = this.#share(nowMs);
    bucket.used += micro;
    const held = bucket.held(nowMs);
    // What the own share does not have is owed to the store.
    const shared = share !== null && held < micro ? this.#takeOfShare(bucket, micro, { share, nowMs }) : 0;
    bucket.spent += micro - shared;
    bucket.spentAt = nowMs;
    this.#onSpend?.(bucket, micro - shared, nowMs);
    this.#deps.watch(bucket, this, 1);
  }

  #takeOfShare(bucket: Bucket, micro: number, { share, nowMs }: { share: Share; nowMs: number }): number {
    const { shares } = this.#algorithm;
    const taken = Math.min(micro, Math.floor(shares.available(bucket, share, nowMs)));
    shares.spend(bucket, taken, nowMs);
    return taken;
  }

  /** How often a bucket is looked at: soon while it holds more than it may keep or owes. */
  visit(bucket: Bucket, nowMs: number): void {
    if (bucket.isDropped) return;
    bucket.measure(nowMs);
    const held = bucket.held(nowMs);
    const idleMs = nowMs - bucket.idleSince;
    if (this.#isForgettable(bucket, nowMs) && idleMs >= IDLE_MS) {
      this.#buckets.remove(bucket);
      return;
    }
    const keep = idleMs >= IDLE_MS ? 0 : this.#lender.keep(bucket);
    const give = bucket.isBrief ? 0 : Math.max(0, held - keep);
    const isDue = this.#isUntold(bucket, nowMs) || this.#isEnding(bucket, nowMs);
    if ((give > 0 || held < 0 || isDue) && bucket.call === null && this.#canCall(bucket, nowMs)) {
      void this.#lender.settle(bucket, give, nowMs);
    }
    const isOpen = held !== 0 || bucket.spent > bucket.reported;
    this.#deps.watch(bucket, this, isOpen && !(bucket.isBrief && held >= 0) ? 2 : 16);
  }

  #isEnding(bucket: Bucket, nowMs: number): boolean {
    return !bucket.isBrief && bucket.held(nowMs) > 0 && bucket.endsAt - nowMs < RENEW_MS;
  }

  /**
   * Much was spent, and no more is: until that is told, the store fills up no further than beside it. Where refused
   * requests may soon ask again, they will tell it.
   */
  #isUntold({ isBrief, spent, reported, spentAt, deniedUntil, unit, demand }: Bucket, nowMs: number): boolean {
    if (isBrief) return false;
    const isSoonTold = nowMs < deniedUntil && deniedUntil - nowMs <= LONG_QUIET_MS;
    if ((spent - reported) * 10 < this.#numbers.burst || isSoonTold) return false;
    return nowMs - spentAt >= Math.max(QUIET_MS, Math.min(LONG_QUIET_MS, (2 * unit) / demand));
  }

  /** Nothing is known of it that the store does not know as well. */
  #isForgettable(bucket: Bucket, nowMs: number): boolean {
    const isIdle = bucket.call === null && bucket.held(nowMs) === 0 && nowMs >= bucket.deniedUntil;
    return isIdle && this.#isShareWhole(bucket, nowMs);
  }

  #isShareWhole(bucket: Bucket, nowMs: number): boolean {
    const share = this.#share(nowMs);
    return share === null || this.#algorithm.shares.isFull(bucket, share, nowMs);
  }

  #canDrop(bucket: Bucket, nowMs: number): boolean {
    return bucket.call === null && bucket.held(nowMs) >= 0 && this.#isShareWhole(bucket, nowMs);
  }

  #giveAll(bucket: Bucket, nowMs: number): void {
    const held = bucket.held(nowMs);
    if (held > 0 && this.#canCall(bucket, nowMs)) void this.#lender.settle(bucket, held, nowMs);
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    const { clock } = this.#deps;
    const all = [...this.#buckets.map.values()].map(async (bucket) => {
      while (bucket.call !== null) await bucket.call;
      const nowMs = clock.nowMs();
      const held = bucket.held(nowMs);
      this.#buckets.remove(bucket);
      if (held !== 0 && this.#lender.canCall(bucket, nowMs)) {
        await this.#lender.settle(bucket, Math.max(0, held), nowMs);
      }
    });
    await Promise.all(all);
  }

  state(): LimiterState {
    const { name, algorithm, limit, perMs, burst } = this.#spec;
    const nowMs = this.#deps.clock.nowMs();
    let leased = 0;
    for (const { granted, spent, endsAt } of this.#buckets.map.values()) {
      if (nowMs < endsAt && granted > spent) leased += granted - spent;
    }
    const counts = { keys: this.size, admitted: this.#admitted, refused: this.#refused };
    return { name, algorithm, limit, perMs, burst, leased: leased / MICRO, ...counts };
  }
}

/** Makes a limiter. Throws a RangeError for numbers that are none of a spec. */
export function createTokenLimiter(spec: LimitSpec, deps: LimiterDeps): TokenLimiter {
  return new TokenBuckets(spec, deps);
}
