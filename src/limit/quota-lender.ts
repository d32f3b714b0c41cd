import { StoreError } from "../store/store-error.ts";
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

/** Makes the lender of one quota. */
export function createQuotaLender(deps: QuotaLenderDeps): QuotaLender {
  const { spec, store, clock, health, periodAt } = deps;
  const limit = toMicro(spec.limit);
  const length = "rollingMs" in spec.window ? spec.window.rollingMs * 1000 : 0;
  const minChunk = Math.floor(limit / 1000);
  /** The store's clock less our own. */
  let offsetMs: number | null = null;

  function isRich(key: QuotaKey): boolean {
    return key.left * 8 > limit;
  }

  function wantedOf(key: QuotaKey, nowMs: number): number {
    const rush = key.rush(nowMs);
    const most = Math.min(Math.floor(limit / 16), Math.max(0, key.left));
    return isRich(key) ? Math.min(most, Math.max(rush * RICH_MS, minChunk)) : Math.min(most, rush * SCARCE_MS);
  }

  function frame(key: QuotaKey, nowMs: number): readonly string[] {
    if (periodAt === null) return ["0", "0", String(length)];
    key.period ??= periodAt(offsetMs === null ? deps.wallMs() : nowMs + offsetMs);
    return [String(key.period.startMs * 1000), String(key.period.endMs * 1000), "0"];
  }

  function restart(key: QuotaKey, owed: number): void {
    key.restart(deps.nextField(), owed);
    key.period = null;
  }

  function freshen(key: QuotaKey, nowMs: number): void {
    if (nowMs >= key.isOverAt) restart(key, 0);
    else if (key.calledAt > 0 && nowMs >= key.endsAt + STALE_MS && key.call === null) {
      restart(key, Math.max(0, key.spent - Math.max(key.granted, key.known)));
    }
  }

  function taken(key: QuotaKey, loan: QuotaLoan, sent: Ask & { atMs: number }): void {
    const nowMs = clock.nowMs();
    offsetMs = loan.nowMicros / 1000 - nowMs;
    key.granted = loan.granted;
    key.known = loan.spent;
    key.left = limit - loan.used - loan.others - (loan.granted - loan.spent);
    key.resetAt = nowMs + loan.resetMicros / 1000;
    key.endsAt = sent.atMs + QUOTA_LEASE_MS - GUARD_MS;
    if (key.period !== null) {
      const restMs = key.period.endMs - loan.nowMicros / 1000;
      key.endsAt = Math.min(key.endsAt, sent.atMs + restMs * 0.999 - GUARD_MS);
      key.isOverAt = nowMs + restMs * 1.001 + GUARD_MS;
    }
    deps.onHeld(key);
    if (sent.want === 0) return;
    const held = key.held(nowMs);
    key.low = isRich(key) ? held / 2 : Math.min(key.demand * 10, held / 2);
    const hasHope = loan.others > 0;
    const pollMs = hasHope ? SHORT_POLL_MS : POLL_MS;
    if (loan.waitMicros > 0) {
      key.retryAt = nowMs + loan.waitMicros / 1000;
      key.deniedUntil = nowMs + Math.max(1, Math.min(loan.waitMicros / 1000, pollMs));
      key.deniedNeed = sent.need;
    } else key.deniedUntil = 0;
  }

  async function call(key: QuotaKey, ask: Ask, nowMs: number): Promise<boolean> {
    if (key.spent > SUM_MOST) restart(key, Math.max(0, key.spent - key.granted));
    key.sequence++;
    key.calledAt = nowMs;
    key.granted -= ask.give;
    health.calls++;
    try {
      // A whole period's spending is counted again where the store has lost it; a rolling one's is not.
      const known = periodAt === null ? key.known : 0;
      const lease = [key.field, key.sequence, key.spent, known, ask.need, ask.want, key.unit, ask.give].map(String);
      const args = [String(limit), ...frame(key, nowMs), ...lease];
      const { period } = key;
      const loan = await store.script(QUOTA_SCRIPT, { keys: [key.storeKey], args });
      health.isSilent = false;
      if (loan.status === "done") {
        if (key.period === period) taken(key, loan, { ...ask, atMs: nowMs });
        return true;
      }
      if (loan.status === "elsewhere") return await another(key, loan, ask);
    } catch (error) {
      if (error instanceof StoreError && !error.mayHaveRun) key.granted += ask.give;
    }
    key.failedUntil = clock.nowMs() + FAILED_MS;
    return false;
  }

  /** The period is another than was believed: at most once, as then the store's clock is known. */
  async function another(key: QuotaKey, { nowMicros }: QuotaLoan, ask: Ask): Promise<boolean> {
    const nowMs = clock.nowMs();
    offsetMs = nowMicros / 1000 - nowMs;
    const before = key.period;
    const period = periodAt?.(nowMicros / 1000) ?? null;
    if (period !== null && before !== null && period.startMs === before.startMs) {
      // The store's clock stands just beside the end of what it told: it is asked again soon.
      key.failedUntil = nowMs + FAILED_MS;
      return false;
    }
    restart(key, 0);
    key.period = period;
    return await call(key, { ...ask, give: 0 }, nowMs);
  }

  function alone(key: QuotaKey, step: () => Promise<boolean>): Promise<boolean> {
    const done = step();
    const ended = done.then(() => {
      if (key.call === ended) key.call = null;
    });
    key.call = ended;
    return done;
  }

  return {
    freshen,
    canCall: (key, nowMs) => nowMs >= key.failedUntil && store.state !== "away",
    borrow: (key, need, nowMs) => {
      key.measure(nowMs);
      const whole = Math.ceil(wantedOf(key, nowMs) / key.unit) * key.unit;
      return alone(key, () => call(key, { need, want: Math.max(1, need + whole), give: 0 }, nowMs));
    },
    settle: (key, give, nowMs) => alone(key, () => call(key, { need: 0, want: 0, give }, nowMs)),
    keep: (key) => Math.ceil(key.demand * (isRich(key) ? RICH_MS : SCARCE_MS)) + (isRich(key) ? minChunk : 0),
  };
}
