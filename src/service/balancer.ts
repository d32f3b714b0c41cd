/** What a balancer needs to know of an endpoint. */
export interface Candidate {
  /** The same on every gateway and after a restart: keys are hashed to it. */
  readonly id: string;
  readonly weight: number;
  /** Outlives updates: an endpoint with the same pool is the same endpoint. */
  readonly pool: { readonly inFlight: number };
}

/** The part of a balancer that requests meet. */
export type Chooser<Item extends Candidate> = Pick<Balancer<Item>, "pick" | "observe">;

/** Chooses an endpoint for an attempt. */
export interface Balancer<Item extends Candidate> {
  /**
   * Null when there is none, or all weights are 0. Costs the same for 2 endpoints and for 1,000. `key` is a hash, 0 to
   * 2^32 - 1: equal ones go to one endpoint where the policy is `consistent_hash`; the others take no notice of it.
   */
  pick(key?: number): Item | null;
  /** Puts another set in the place of the present one. */
  update(endpoints: readonly Item[]): void;
  /** Hears how long an attempt took to its response's head; null where that decides nothing. */
  readonly observe: ((endpoint: Item, responseMs: number) => void) | null;
}
