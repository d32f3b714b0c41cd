/** What decides while the store is away: this gateway's share of the limit, everything passes, or nothing does. */
export type SlotsStoreError = "local" | "allow" | "deny";

/**
 * A limit of what is in flight: never more than `limit` for a key, over all gateways together. But nothing in flight is
 * ended: what a gateway has that did not reach the store for ten seconds, or stood still as long, counts no more; and
 * what a gateway has beyond its share, when shares begin to be enforced, comes on top of the others' until it is over.
 * Gateways that share a `name` share the keys; each holds to its own `limit`.
 */
export interface SlotsSpec {
  /** Unlike names never meet. Any text. */
  readonly name: string;
  /** A whole number from 1 to a million. */
  readonly limit: number;
  /** `local`: while the store is away each gateway has its share of the limit, rounded down. */
  readonly onStoreError: SlotsStoreError;
}

/** How a verdict was come by: by slots that the store lent, by the own share, or by the policy for the store's absence. */
export type SlotsMode = "leased" | "local" | "allowed" | "denied";

export interface SlotsVerdict {
  readonly isAdmitted: boolean;
  readonly limit: number;
  /** Slots that are free, as far as it is known here. */
  readonly remaining: number;
  readonly mode: SlotsMode;
}

/** One limit of what is in flight, with its keys. */
export interface Slots {
  /**
   * Takes a slot, at once where one is free here; else it waits for the store, never longer than the deadline. Who is
   * admitted calls `leave` once, with the same key; who is not calls nothing. Never throws and never rejects.
   */
  enter(key: string): SlotsVerdict | Promise<SlotsVerdict>;
  /** Gives a slot back. */
  leave(key: string): void;
}

/** What a gateway holds of a limit of what is in flight, and what it did. */
export interface SlotsState {
  readonly name: string;
  readonly limit: number;
  /** Keys that are held here. */
  readonly keys: number;
  readonly inFlight: number;
  /** Slots that are held here, in use or free. */
  readonly held: number;
  readonly admitted: number;
  readonly refused: number;
}
