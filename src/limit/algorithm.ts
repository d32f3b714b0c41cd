import type { Bucket } from "./bucket.ts";
import type { LendStatus } from "./bucket-script.ts";
import type { Numbers } from "./numbers.ts";
import type { Share } from "./share.ts";

/** What a gateway asks the store for, in millionths: at least `need`, and `want` in all; `give` is given back. */
export interface Ask {
  readonly want: number;
  readonly need: number;
  readonly give: number;
  /** For requests that wait only: what is lent counts as spent soon, and is not reported. */
  readonly isBrief: boolean;
}

/** What was asked for when. */
export interface Asked {
  readonly want: number;
  readonly need: number;
  readonly isBrief: boolean;
  readonly sentMs: number;
  /** What was held then. */
  readonly held: number;
}

/** The own share of a limit, that is spent while the store is away. */
export interface Shares {
  /** Millionths that it has now; `level` of the bucket says it as well. */
  available(bucket: Bucket, share: Share, nowMs: number): number;
  /** Takes so much of what is available. */
  spend(bucket: Bucket, micro: number, nowMs: number): void;
  /** Whether it is as if it had never been touched. */
  isFull(bucket: Bucket, share: Share, nowMs: number): boolean;
  /** Milliseconds until it has so much; Infinity: it never will. */
  waitMs(bucket: Bucket, share: Share, wanted: { readonly micro: number; readonly nowMs: number }): number;
}

/** What the store answered. */
export interface Answer {
  readonly status: LendStatus;
  /** Takes in what was lent, and decides when more is asked for. */
  take(asked: Asked, nowMs: number): void;
}

/** All that token buckets and windows do not have in common. */
export interface Algorithm {
  readonly numbers: Numbers;
  readonly shares: Shares;
  /** The store's key of a limit's key. */
  storeKey(key: string): string;
  /** One call to the store, which settles, takes back and lends. Rejects with a StoreError. */
  ask(bucket: Bucket, ask: Ask, nowMs: number): Promise<Answer>;
  /** Told of what is spent of leases; null: it need not be. */
  readonly onSpend: ((bucket: Bucket, micro: number, nowMs: number) => void) | null;
  /** Milliseconds until all is there again, where so much is left; without a bucket nothing is known of the key. */
  resetMs(bucket: Bucket | null, left: number, nowMs: number): number;
}
