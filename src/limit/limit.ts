import type { Quota, QuotaLedger, QuotaSpec, QuotaState } from "./quota.ts";
import type { Slots, SlotsSpec, SlotsState } from "./slots.ts";

/** What decides while the store cannot: a gateway's share of the limit, everything passes, or nothing does. */
export type OnStoreError = "local" | "allow" | "deny";

/**
 * How a verdict was come by: by tokens that the store lent (`leased`), by this gateway's own share while the store is
 * away (`local`), or by the policy for its absence (`allowed`, `denied`).
 */
export type LimitMode = "leased" | "local" | "allowed" | "denied";

/**
 * How much may come, over all gateways together. `token_bucket`: in any time t no more than
 * `burst + limit * t / perMs`. `fixed_window`: no more than `limit` in each window of the store's clock that begins at
 * a whole multiple of `perMs` since 1970. `sliding_window`: no more than `limit` in any time of `perMs`.
 */
export type LimitAlgorithm = "token_bucket" | "sliding_window" | "fixed_window";

/**
 * A limit. The gateways that share a `name` share the counts of its keys; where their numbers differ, the lower ones
 * hold, and of windows each gateway holds to its own.
 */
export interface LimitSpec {
  /** Unlike names never meet. Any text. */
  readonly name: string;
  readonly algorithm: LimitAlgorithm;
  /** Units for each `perMs`: above 0, at most a thousand million, to the millionth part. */
  readonly limit: number;
  /** Whole milliseconds, from 1 to 366 days; of windows from 100. */
  readonly perMs: number;
  /** Units that may come at once, of windows the limit: from the millionth part of one to a thousand million. */
  readonly burst: number;
  readonly onStoreError: OnStoreError;
}

/** What became of a request. */
export interface Verdict {
  readonly isAdmitted: boolean;
  readonly limit: number;
  /** Whole units that are left, as far as it is known here: what is held and what the store was last seen to have. */
  readonly remaining: number;
  /** Milliseconds until all of the burst is there again, if nobody takes any; as far as it is known here. */
  readonly resetMs: number;
  /** Milliseconds after which another try makes sense; 0 where it was admitted, Infinity where it never will be. */
  readonly retryAfterMs: number;
  readonly mode: LimitMode;
  /** What paid for it, for `refund`: the lease, "" for none, and what was reported of it by then. */
  readonly lease: string;
  readonly report: number;
}

/** One limit with its keys. */
export interface Limiter {
  /**
   * Takes units for a request, and decides at once where it can: only the first request of a key, and one that finds
   * its lease spent, wait for the store, never longer than the deadline. Never throws and never rejects. The key may be
   * any text of any length. The cost is above 0, to the millionth part; one above the burst is never admitted.
   */
  take(key: string, cost?: number): Verdict | Promise<Verdict>;
  /**
   * Gives back what that verdict took and was not used, as when another limit refused. What the store was told of as
   * spent by then, mostly within a second, is not given: it has flowed back there since.
   */
  refund(key: string, cost: number, verdict: Pick<Verdict, "lease" | "report">): void;
  /**
   * Takes what is known to be used only now, such as bytes sent: may leave the key in debt, which refuses until paid.
   * A thousand bursts are the most that one call takes.
   */
  charge(key: string, cost: number): void;
}

/** What a gateway's limits are at, for metrics and the admin API. */
export interface LimitsState {
  /** `leased`: the store decides. `waiting`: it is away, and what was lent is spent. `local`: shares are enforced. */
  readonly mode: "leased" | "waiting" | "local";
  /** Gateways that are known, this one included; 0 until the store has told. */
  readonly gateways: number;
  /** Of these, the ones that vanished without a goodbye, whose shares are withheld. */
  readonly vanished: number;
  /** This gateway's part of every limit while the store is away: 0 to 1. */
  readonly share: number;
  readonly limiters: readonly LimiterState[];
  readonly quotas: readonly QuotaState[];
  readonly slots: readonly SlotsState[];
  /** Calls to the store since the start. */
  readonly storeCalls: number;
}

export interface LimiterState {
  readonly name: string;
  readonly algorithm: LimitAlgorithm;
  readonly limit: number;
  readonly perMs: number;
  readonly burst: number;
  /** Keys that are held here. */
  readonly keys: number;
  /** Units that are held here by leases and not spent. */
  readonly leased: number;
  readonly admitted: number;
  readonly refused: number;
}

/** The limits of one gateway. */
export interface Limits {
  /**
   * The limiter of a spec; equal specs are the same one, so what was lent outlives a reload. Throws a RangeError for
   * numbers that are none of a spec.
   */
  limiter(spec: LimitSpec): Limiter;
  /** The quota of a spec, in the same way. */
  quota(spec: QuotaSpec): Quota;
  /** What is counted by the quotas of that name and window. */
  ledger(spec: Pick<QuotaSpec, "name" | "window" | "limit">): QuotaLedger;
  /** The limit of what is in flight, in the same way. */
  slots(spec: SlotsSpec): Slots;
  /**
   * Forgets limits of all kinds that are not among these and hold no keys: those that reloads have left behind. One
   * that is in use must be among them, as what it is lent would not be handed back at the end.
   */
  retain(used: ReadonlySet<object>): void;
  /** Resolves when the store was reached for the first time, or could not be: until then requests wait in vain. */
  readonly opened: Promise<void>;
  /** What decides now; costs next to nothing, where `state` looks at every key. */
  readonly mode: LimitsState["mode"];
  state(): LimitsState;
  /** Hands all leases back and says goodbye; what is asked later is decided as if the store were away. */
  close(): Promise<void>;
}
