import { decideAfterCalls } from "./calling.ts";
import { limitKey } from "./key.ts";
import type { LimiterDeps } from "./limiter.ts";
import { takeOldest } from "./oldest.ts";
import type { Quota, QuotaMode, QuotaSpec, QuotaState, QuotaVerdict } from "./quota.ts";
import { QuotaKey } from "./quota-key.ts";
import { createQuotaLender, type QuotaLender } from "./quota-lender.ts";
import { periodsOf, windowText } from "./quota-period.ts";
import { MICRO, microOfCost, toMicro } from "./units.ts";

/** A key that nobody asked for in so long is given back and dropped. */
const IDLE_MS = 3000;
/** The store is told of what was spent that long ago. */
const UNTOLD_MS = 5000;
/** A lease that is still needed is renewed so long before its end. */
const RENEW_MS = 20_000;
const AWAY_RETRY_MS = 1000;
const NEVER = Number.POSITIVE_INFINITY;
const MOST_UNITS = 1_000_000_000;

export type QuotaDeps = Omit<LimiterDeps, "watch" | "presence" | "deadlineMs"> & {
  readonly deadlineMs: number;
  readonly wallMs: () => number;
  /** Has the sweep look at a key after so many of its ticks. */
  watch(key: QuotaKey, quota: QuotaLimiter, ticks: number): void;
};

/** What the limits of a gateway need of a quota. */
export interface QuotaLimiter extends Quota {
  visit(key: QuotaKey, nowMs: number): void;
  /** Hands everything back. */
  release(): Promise<void>;
  readonly size: number;
  state(): QuotaState;
}

/** The store's key of a quota's key: windows that differ do not meet. */
export function quotaStoreKey({ name, window }: Pick<QuotaSpec, "name" | "window">, key: string): string {
  return limitKey("q", `${name} ${windowText(window)}`, key);
}

class QuotaKeys implements QuotaLimiter {
  readonly #spec: QuotaSpec;
  readonly #deps: QuotaDeps;
  readonly #lender: QuotaLender;
  readonly #keys = new Map<string, QuotaKey>();
  readonly #limit: number;
  #admitted = 0;
  #refused = 0;

  constructor(spec: QuotaSpec, deps: QuotaDeps) {
    this.#spec = spec;
    this.#deps = deps;
    this.#limit = toMicro(spec.limit);
    const onHeld = (key: QuotaKey): void => deps.watch(key, this, 4);
    this.#lender = createQuotaLender({ ...deps, spec, periodAt: periodsOf(spec.window), onHeld });
  }

  get size(): number {
    return this.#keys.size;
  }

  take(key: string, cost = 1): QuotaVerdict | Promise<QuotaVerdict> {
    const micro = microOfCost(cost);
    const nowMs = this.#deps.clock.nowMs();
    const one = this.#keys.get(key) ?? this.#add(key, nowMs);
    if (one === null) return this.#away(null, micro, nowMs);
    one.used += micro;
    if (nowMs < one.endsAt && one.granted - one.spent >= micro) return this.#spend(one, micro, nowMs);
    this.#lender.freshen(one, nowMs);
    return this.#decideNow(one, micro, nowMs) ?? this.#wait(one, micro, nowMs);
  }

  #add(key: string, nowMs: number): QuotaKey | null {
    if (!this.#deps.hasRoom() && !this.#makeRoom(nowMs)) return null;
    const made = { field: this.#deps.nextField(), limit: this.#limit, nowMs };
    const one = new QuotaKey(key, quotaStoreKey(this.#spec, key), made);
    this.#keys.set(key, one);
    this.#deps.watch(one, this, 16);
    return one;
  }

  #makeRoom(nowMs: number): boolean {
    const one = takeOldest(this.#keys, ({ call, spent, known }) => call === null && spent === known);
    if (one === null) return false;
    one.isDropped = true;
    const held = one.held(nowMs);
    if (held > 0 && this.#lender.canCall(one, nowMs)) void this.#lender.settle(one, held, nowMs);
    return true;
  }

  #drop(one: QuotaKey): void {
    one.isDropped = true;
    this.#keys.delete(one.key);
  }

  #spend(one: QuotaKey, micro: number, nowMs: number): QuotaVerdict {
    one.spent += micro;
    this.#admitted++;
    const held = one.granted - one.spent;
    if (held < one.low && one.call === null && nowMs >= one.deniedUntil && this.#lender.canCall(one, nowMs)) {
      void this.#lender.borrow(one, 0, nowMs);
    }
    return this.#verdict(one, { isAdmitted: true, left: one.left + held, retryAfterMs: 0, mode: "leased" });
  }

  #verdict(one: QuotaKey | null, told: Told): QuotaVerdict {
    const { isAdmitted, left, retryAfterMs, mode } = told;
    const resetMs = one === null ? 0 : Math.max(0, Math.ceil(one.resetAt - this.#deps.clock.nowMs()));
    const remaining = left > 0 ? Math.floor(left / MICRO) : 0;
    const lease = one?.field ?? "";
    return { isAdmitted, limit: this.#spec.limit, remaining, resetMs, retryAfterMs, mode, lease };
  }

  #refuse(one: QuotaKey | null, retryAfterMs: number, mode: QuotaMode): QuotaVerdict {
    this.#refused++;
    const waitMs = retryAfterMs === NEVER ? NEVER : Math.max(1, Math.ceil(retryAfterMs));
    return this.#verdict(one, { isAdmitted: false, left: one?.left ?? 0, retryAfterMs: waitMs, mode });
  }

  /** A verdict that needs no waiting; null: a call is under way that may bring what is needed. */
  #decideNow(one: QuotaKey, micro: number, nowMs: number): QuotaVerdict | null {
    if (micro > this.#limit) return this.#refuse(one, NEVER, "leased");
    const held = one.held(nowMs);
    if (held >= micro || micro === 0) return this.#spend(one, micro, nowMs);
    const need = micro - held;
    if (nowMs < one.deniedUntil && need >= one.deniedNeed) return this.#refuse(one, one.retryAt - nowMs, "leased");
    if (one.call === null) {
      if (!this.#lender.canCall(one, nowMs)) return this.#away(one, micro, nowMs);
      one.unit = Math.max(1, micro);
      void this.#lender.borrow(one, need, nowMs);
    }
    return this.#deps.health.isSilent ? this.#away(one, micro, nowMs) : null;
  }

  async #wait(one: QuotaKey, micro: number, startedMs: number): Promise<QuotaVerdict> {
    const { clock, deadlineMs, health } = this.#deps;
    const verdict = await decideAfterCalls({
      clock,
      deadlineMs,
      call: () => one.call,
      decide: () => this.#decideNow(one, micro, clock.nowMs()),
      onLate: () => {
        health.isSilent = true;
      },
    });
    if (verdict !== null) return verdict;
    const nowMs = clock.nowMs();
    return nowMs - startedMs >= deadlineMs ? this.#away(one, micro, nowMs) : this.#refuse(one, 1, "leased");
  }

  /** The store cannot be asked. What passes all the same is counted when it can. */
  #away(one: QuotaKey | null, micro: number, nowMs: number): QuotaVerdict {
    if (this.#spec.onStoreError === "deny") return this.#refuse(one, AWAY_RETRY_MS, "denied");
    this.#admitted++;
    if (one !== null) {
      one.spent += micro;
      this.#deps.watch(one, this, 4);
    }
    return this.#verdict(one, { isAdmitted: true, left: one?.held(nowMs) ?? 0, retryAfterMs: 0, mode: "allowed" });
  }

  refund(key: string, cost: number, { lease }: Pick<QuotaVerdict, "lease">): void {
    const one = this.#keys.get(key);
    // What another lease paid, perhaps in a period that is over, is not this one's.
    if (one === undefined || one.field !== lease) return;
    one.spent -= Math.min(microOfCost(cost), one.spent);
    this.#deps.watch(one, this, 4);
  }

  charge(key: string, cost: number): void {
    const nowMs = this.#deps.clock.nowMs();
    const one = this.#keys.get(key) ?? this.#add(key, nowMs);
    const micro = microOfCost(cost);
    if (one === null || micro === 0) return;
    this.#lender.freshen(one, nowMs);
    one.used += micro;
    one.spent += micro;
    this.#deps.watch(one, this, 1);
  }

  visit(one: QuotaKey, nowMs: number): void {
    if (one.isDropped) return;
    one.measure(nowMs);
    this.#lender.freshen(one, nowMs);
    const held = one.held(nowMs);
    const isIdle = nowMs - one.idleSince >= IDLE_MS;
    const isSettled = one.call === null && held <= 0 && one.spent === one.known && nowMs >= one.deniedUntil;
    if (isIdle && isSettled) {
      this.#drop(one);
      return;
    }
    const give = Math.max(0, held - (isIdle ? 0 : this.#lender.keep(one)));
    if (one.call === null && this.#isDue(one, { give, held, nowMs }) && this.#lender.canCall(one, nowMs)) {
      void this.#lender.settle(one, give, nowMs);
    }
    this.#deps.watch(one, this, held > 0 || one.spent !== one.known ? 4 : 16);
  }

  #isDue(one: QuotaKey, { give, held, nowMs }: { give: number; held: number; nowMs: number }): boolean {
    if (give > 0 || one.granted < one.spent) return true;
    if (held > 0 && one.endsAt - nowMs < RENEW_MS && nowMs < one.endsAt) return nowMs - one.calledAt >= UNTOLD_MS;
    return one.spent !== one.known && nowMs - one.calledAt >= UNTOLD_MS;
  }

  async release(): Promise<void> {
    const { clock } = this.#deps;
    const all = [...this.#keys.values()].map(async (one) => {
      while (one.call !== null) await one.call;
      const nowMs = clock.nowMs();
      this.#drop(one);
      const held = Math.max(0, one.held(nowMs));
      if ((held > 0 || one.spent !== one.known) && this.#lender.canCall(one, nowMs)) {
        await this.#lender.settle(one, held, nowMs);
      }
    });
    await Promise.all(all);
  }

  state(): QuotaState {
    const nowMs = this.#deps.clock.nowMs();
    let leased = 0;
    for (const one of this.#keys.values()) leased += Math.max(0, one.held(nowMs));
    const { name, limit, window } = this.#spec;
    const counts = { keys: this.size, admitted: this.#admitted, refused: this.#refused };
    return { name, limit, window: windowText(window), leased: leased / MICRO, ...counts };
  }
}

interface Told {
  readonly isAdmitted: boolean;
  readonly left: number;
  readonly retryAfterMs: number;
  readonly mode: QuotaMode;
}

/** Makes a quota. Throws a RangeError for numbers that are none of a spec, and for a time zone that is none. */
export function createQuotaLimiter(spec: QuotaSpec, deps: QuotaDeps): QuotaLimiter {
  if (!(spec.limit >= 1 / MICRO && spec.limit <= MOST_UNITS)) {
    throw new RangeError(`limit must be from 0.000001 to ${MOST_UNITS}, not ${spec.limit}`);
  }
  return new QuotaKeys(spec, deps);
}
