/** Over what a quota counts: days, weeks (from Monday) or months of a time zone, or always the last so many milliseconds. */
export type QuotaWindow =
  | { readonly per: "day" | "week" | "month"; readonly timeZone: string }
  | { readonly rollingMs: number };

/** What decides about units that the store has not lent while it is away: nothing passes, or everything does and is counted later. */
export type QuotaStoreError = "deny" | "allow";

/**
 * A quota: in one period of the store's clock no more units than `limit` are admitted for a key, over all gateways
 * together, whoever crashes; a rolling one is counted in 48ths of its length, so a unit comes back up to one of them
 * late. Gateways that share a `name` and a window share the counts of its keys; each holds to its own `limit`.
 */
export interface QuotaSpec {
  /** Unlike names never meet. Any text. */
  readonly name: string;
  readonly window: QuotaWindow;
  /** Units for each window: from the millionth part of one to a thousand million. */
  readonly limit: number;
  readonly onStoreError: QuotaStoreError;
}

/** How a verdict was come by: by units that the store counted, or by the policy for its absence. */
export type QuotaMode = "leased" | "allowed" | "denied";

/** What became of a request. */
export interface QuotaVerdict {
  readonly isAdmitted: boolean;
  readonly limit: number;
  /** Whole units that are left, as far as it is known here. */
  readonly remaining: number;
  /** Milliseconds until the period ends or, rolling, until all that is used now has come back; as far as known here. */
  readonly resetMs: number;
  /** Milliseconds after which another try makes sense; 0 where it was admitted, Infinity where it never will be. */
  readonly retryAfterMs: number;
  readonly mode: QuotaMode;
  /** What paid for it, for `refund`. */
  readonly lease: string;
}

/** One quota with its keys. */
export interface Quota {
  /**
   * Takes units for a request, at once where units are held here; else it waits for the store, never longer than the
   * deadline. Never throws and never rejects. A cost above the limit is never admitted; one of 0 always is.
   */
  take(key: string, cost?: number): QuotaVerdict | Promise<QuotaVerdict>;
  /** Gives back what that verdict took and was not used; once its lease is over, nothing. */
  refund(key: string, cost: number, verdict: Pick<QuotaVerdict, "lease">): void;
  /** Takes what is known to be used only now: may leave the key above its limit, which refuses until the period ends. */
  charge(key: string, cost: number): void;
}

/** What a gateway holds of a quota, and what it did. */
export interface QuotaState {
  readonly name: string;
  readonly limit: number;
  /** In words; equal ones are equal windows. */
  readonly window: string;
  /** Keys that are held here. */
  readonly keys: number;
  /** Units that are held here by leases and not spent. */
  readonly leased: number;
  readonly admitted: number;
  readonly refused: number;
}

/** What is counted of a key. */
export interface QuotaCount {
  readonly limit: number;
  /** Units that were reported as spent, and those that an administrator set. */
  readonly used: number;
  /** Units that gateways hold, or held when they were last heard of: they may be spent. */
  readonly leased: number;
  /** What can be had still; 0 where more is used than the limit allows. */
  readonly remaining: number;
  /** Milliseconds since 1970, by the store's clock: when the period ends or, rolling, all that is used has come back. */
  readonly resetsAt: number;
}

/** A change of what is counted: set to so many units, or so many more, or fewer where it is below 0. */
export type QuotaChange = { readonly used: number } | { readonly add: number };

export interface QuotaChanged {
  /** False: `expected` was not what was used any more, and nothing has changed. */
  readonly isDone: boolean;
  readonly before: QuotaCount;
  readonly after: QuotaCount;
}

/** The counts of one quota in the store, to be read and corrected. Both reject with a StoreError. */
export interface QuotaLedger {
  /** A key that nobody used has all of the limit. */
  read(key: string): Promise<QuotaCount>;
  /**
   * Changes what is used, never below 0; with `expected` only while exactly so much is used. Gateways that refuse a key
   * notice within five seconds.
   */
  change(key: string, change: QuotaChange, expected: number | null): Promise<QuotaChanged>;
}
