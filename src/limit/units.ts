/** Counts are whole millionths of a unit, so that sums are exact and Lua and TypeScript agree. */
export const MICRO = 1_000_000;

/** Longest that a lease lives, by the store's clock; a longer one can only be of a clock that went back. */
export const LEASE_MS = 3000;

/** Longest that a lease lives that is for requests which wait: it counts as spent then, without a report. */
export const BRIEF_MS = 300;

/** A gateway that was not heard of for so long has vanished. */
export const LIFE_MS = 1500;

/** What a gateway knows of the others may be so old at most, or the store lends it nothing. */
export const VIEW_MS = 1200;

/** The share of a gateway that vanished is withheld for so long after that was noticed. */
export const WITHHELD_MS = 60_000;

/** Refused keys ask again after so long while shares are withheld: they may come back at any time. */
export const SHARES_POLL_MS = 250;

/** A heartbeat that reaches the store later than this does not count. */
export const BEAT_LATE_MS = 300;

/**
 * From this burst on, in millionths, at most half of it is lent at any time, so that shares may fill up to their part of
 * the other half while leases of before may still be spent. Smaller ones are lent whole: their shares wait for that.
 */
export const HALVED_FROM = 20 * MICRO;

/** A request that others' leases keep from tokens that are there asks again after so long. */
export const LENT_POLL_MS = 20;

/** What clocks that measure the same few seconds may differ by. */
export const GUARD_MS = 100;

/** The same for a brief lease. */
export const BRIEF_GUARD_MS = 10;

/** How long keys stay in the store after their bucket is full, so that an outage of that length is not forgotten. */
export const KEPT_MS = 60_000;

/** A cost or a limit in millionths. */
export function toMicro(units: number): number {
  return Math.round(units * MICRO);
}

/** What a request costs, in millionths: at least nothing, and one unit where it is no number. */
export function microOfCost(cost: number): number {
  if (cost === 1) return MICRO;
  return cost >= 0 ? Math.min(toMicro(cost), 1e15) : MICRO;
}
