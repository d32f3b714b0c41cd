import { StoreError } from "../store/store-error.ts";
import { callAlone } from "./calling.ts";
import type { LimiterDeps } from "./limiter.ts";
import type { QuotaSpec } from "./quota.ts";
import type { QuotaKey } from "./quota-key.ts";
import { QUOTA_LEASE_MS } from "./quota-lua.ts";
import type { PeriodAt } from "./quota-period.ts";
import { QUOTA_SCRIPT, type QuotaLoan } from "./quota-script.ts";
import { GUARD_MS, toMicro } from "./units.ts";

/** Demand that a lease is to last for while there is plenty, and when there is not. */
const RICH_MS = 6000;
const SCARCE_MS = 300;
/** Longest until a correction of what is used is noticed where all is used, and where others may hand back. */
const POLL_MS = 5000;
const SHORT_POLL_MS = 250;
const FAILED_MS = 50;
/** Sums beyond this begin anew, before they are too large to be exact. */
const SUM_MOST = 2e15;
/** A lease that was void for so long may be forgotten by the store soon. */
const STALE_MS = 300_000;

export type QuotaLenderDeps = Pick<LimiterDeps, "store" | "clock" | "health" | "nextField"> & {
  readonly spec: QuotaSpec;
  readonly periodAt: PeriodAt;
  /** Milliseconds since 1970, to begin with: the store's clock decides. */
  readonly wallMs: () => number;
  /** Called with a key that holds a lease, or has something to tell. */
  onHeld(key: QuotaKey): void;
};

/** Borrows for the keys of a quota, one call at a time for each. */
export interface QuotaLender {
  canCall(key: QuotaKey, nowMs: number): boolean;
  /** Settles, and asks for what is needed, which is spent at once, and for what the demand calls for. */
  borrow(key: QuotaKey, need: number, nowMs: number): Promise<boolean>;
  /** Settles, and gives back so much of what is held. Resolves with whether the store knows. */
  settle(key: QuotaKey, give: number, nowMs: number): Promise<boolean>;
  /** What a key may keep without being asked for more. */
  keep(key: QuotaKey): number;
  /** Takes a new lease where the old one is of a period that is over, or may be forgotten. */
  freshen(key: QuotaKey, nowMs: number): void;
}

interface Ask {
  readonly need: number;
  readonly want: number;
  readonly give: number;
}

class QuotaLending implements QuotaLender {
  readonly #deps: QuotaLenderDeps;
  readonly #limit: number;
  readonly #length: number;
  readonly #minChunk: number;
  /** The store's clock less our own; null: it has not told it yet. */
  #offsetMs: number | null = null;

  constructor(deps: QuotaLenderDeps) {
    const { spec } = deps;
    this.#deps = deps;
    this.#limit = toMicro(spec.limit);
    this.#length = "rollingMs" in spec.window ? spec.window.rollingMs * 1000 : 0;
    this.#minChunk = Math.floor(this.#limit / 1000);
  }

  canCall(key: QuotaKey, nowMs: number): boolean {
    return nowMs >= key.failedUntil && this.#deps.store.state !== "away";
  }

  borrow(key: QuotaKey, need: number, nowMs: number): Promise<boolean> {
    key.measure(nowMs);
    const whole = Math.ceil(this.#wantedOf(key, nowMs) / key.unit) * key.unit;
    const ask = { need, want: Math.max(1, need + whole), give: 0 };
    return callAlone(key, () => this.#call(key, ask, nowMs));
  }

  settle(key: QuotaKey, give: number, nowMs: number): Promise<boolean> {
    return callAlone(key, () => this.#call(key, { need: 0, want: 0, give }, nowMs));
  }

  keep(key: QuotaKey): number {
    const isRich = this.#isRich(key);
    return Math.ceil(key.demand * (isRich ? RICH_MS : SCARCE_MS)) + (isRich ? this.#minChunk : 0);
  }

  freshen(key: QuotaKey, nowMs: number): void {
    if (nowMs >= key.isOverAt) this.#restart(key, 0);
    else if (key.calledAt > 0 && nowMs >= key.endsAt + STALE_MS && key.call === null) {
      this.#restart(key, Math.max(0, key.spent - Math.max(key.granted, key.known)));
    }
  }

  #isRich(key: QuotaKey): boolean {
    return key.left * 8 > this.#limit;
  }

  #wantedOf(key: QuotaKey, nowMs: number): number {
    const rush = key.rush(nowMs);
    const most = Math.min(Math.floor(this.#limit / 16), Math.max(0, key.left));
    return this.#isRich(key)
      ? Math.min(most, Math.max(rush * RICH_MS, this.#minChunk))
      : Math.min(most, rush * SCARCE_MS);
  }

  #frame(key: QuotaKey, nowMs: number): readonly string[] {
    const { periodAt, wallMs } = this.#deps;
    if (periodAt === null) return ["0", "0", String(this.#length)];
    key.period ??= periodAt(this.#offsetMs === null ? wallMs() : nowMs + this.#offsetMs);
    return [String(key.period.startMs * 1000), String(key.period.endMs * 1000), "0"];
  }

  #restart(key: QuotaKey, owed: number): void {
    key.restart(this.#deps.nextField(), owed);
    key.period = null;
  }

  #args(key: QuotaKey, { need, want, give }: Ask, nowMs: number): readonly string[] {
    // A whole period's spending is counted again where the store has lost it; a rolling one's is not.
    const known = this.#deps.periodAt === null ? key.known : 0;
    const lease = [key.field, key.sequence, key.spent, known, need, want, key.unit, give].map(String);
    return [String(this.#limit), ...this.#frame(key, nowMs), ...lease];
  }

  async #call(key: QuotaKey, ask: Ask, nowMs: number): Promise<boolean> {
    const { store, clock, health } = this.#deps;
    if (key.spent > SUM_MOST) this.#restart(key, Math.max(0, key.spent - key.granted));
    key.sequence++;
    key.calledAt = nowMs;
    key.granted -= ask.give;
    health.calls++;
    try {
      const args = this.#args(key, ask, nowMs);
      const { field } = key;
      const loan = await store.script(QUOTA_SCRIPT, { keys: [key.storeKey], args });
      health.isSilent = false;
      if (loan.status === "done") {
        if (key.field === field) this.#taken(key, loan, { ...ask, atMs: nowMs });
        return true;
      }
      if (loan.status === "elsewhere") return await this.#another(key, loan, ask);
    } catch (error) {
      if (error instanceof StoreError && !error.mayHaveRun) key.granted += ask.give;
    }
    key.failedUntil = clock.nowMs() + FAILED_MS;
    return false;
  }

  /** The period is another than was believed: at most once, as then the store's clock is known. */
  async #another(key: QuotaKey, { nowMicros }: QuotaLoan, ask: Ask): Promise<boolean> {
    const { clock, periodAt } = this.#deps;
    const nowMs = clock.nowMs();
    this.#offsetMs = nowMicros / 1000 - nowMs;
    const before = key.period;
    const period = periodAt?.(nowMicros / 1000) ?? null;
    if (period !== null && before !== null && period.startMs === before.startMs) {
      key.failedUntil = nowMs + FAILED_MS;
      return false;
    }
    this.#restart(key, 0);
    key.period = period;
    return await this.#call(key, { ...ask, give: 0 }, nowMs);
  }

  #taken(key: QuotaKey, loan: QuotaLoan, sent: Ask & { readonly atMs: number }): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#offsetMs = loan.nowMicros / 1000 - nowMs;
    key.granted = loan.granted;
    key.known = loan.spent;
    key.left = this.#limit - loan.used - loan.others - (loan.granted - loan.spent);
    key.resetAt = nowMs + loan.resetMicros / 1000;
    key.endsAt = sent.atMs + QUOTA_LEASE_MS - GUARD_MS;
    if (key.period !== null) {
      const restMs = key.period.endMs - loan.nowMicros / 1000;
      key.endsAt = Math.min(key.endsAt, sent.atMs + restMs * 0.999 - GUARD_MS);
      key.isOverAt = nowMs + restMs * 1.001 + GUARD_MS;
    }
    this.#deps.onHeld(key);
    if (sent.want > 0) this.#plan(key, loan, { need: sent.need, nowMs });
  }

  /** When more is asked for, and when again after a refusal. */
  #plan(key: QuotaKey, loan: QuotaLoan, { need, nowMs }: { readonly need: number; readonly nowMs: number }): void {
    const held = key.held(nowMs);
    key.low = this.#isRich(key) ? held / 2 : Math.min(key.demand * 10, held / 2);
    key.deniedUntil = 0;
    if (loan.waitMicros <= 0) return;
    const pollMs = loan.others > 0 ? SHORT_POLL_MS : POLL_MS;
    key.retryAt = nowMs + loan.waitMicros / 1000;
    key.deniedUntil = nowMs + Math.max(1, Math.min(loan.waitMicros / 1000, pollMs));
    key.deniedNeed = need;
  }
}

/** Makes the lender of one quota. */
export function createQuotaLender(deps: QuotaLenderDeps): QuotaLender {
  return new QuotaLending(deps);
}
