/** Why an endpoint gets no new requests: its health checks fail, outlier detection took it out, or its load is too high. */
export type Absence = "unhealthy" | "ejected" | "overloaded";

/** An endpoint, known by its pool, which outlives updates of the registry. */
export interface Member {
  readonly pool: object;
}

/** Which endpoints of a service may be chosen: those that nobody has a reason against. */
export interface Availability {
  /** Takes the endpoint out for that reason, until `restore` with the same one. Again changes nothing. */
  remove(member: Member, reason: Absence): void;
  /** Takes one reason back; another one still keeps the endpoint out. */
  restore(member: Member, reason: Absence): void;
  /** Whether the endpoint is out for that reason. */
  isOut(member: Member, reason: Absence): boolean;
  /** All reasons against it, in the order in which they came; empty for most. */
  reasonsOf(member: Member): readonly Absence[];
  /** True when there is no reason against it; so are those that nobody spoke of. */
  isAvailable(member: Member): boolean;
  /** Calls after each reason that was taken back while another one holds; the one listener is replaced. */
  whenEased(listener: () => void): void;
}

/** `onChange` is called, in the same turn, when an endpoint came to be available or ceased to be. Everyone is at first. */
export function createAvailability(onChange: () => void): Availability {
  // Weak: who left the service is forgotten with its pool.
  const reasons = new WeakMap<object, Set<Absence>>();
  let eased: (() => void) | null = null;
  return {
    remove({ pool }, reason) {
      const known = reasons.get(pool);
      if (known === undefined) reasons.set(pool, new Set([reason]));
      else known.add(reason);
      if (known === undefined) onChange();
    },
    restore({ pool }, reason) {
      const known = reasons.get(pool);
      if (known === undefined || !known.delete(reason)) return;
      if (known.size > 0) return eased?.();
      reasons.delete(pool);
      onChange();
    },
    isOut: ({ pool }, reason) => reasons.get(pool)?.has(reason) ?? false,
    reasonsOf: ({ pool }) => [...(reasons.get(pool) ?? [])],
    isAvailable: ({ pool }) => !reasons.has(pool),
    whenEased(listener) {
      eased = listener;
    },
  };
}

/**
 * The endpoints that may be chosen. When fewer than `panicPercent` (0 to 100) of those with a weight are available, all
 * are: a fault of the checks, or of all at once, must not bring down what still works. At 0 that never happens.
 */
export function usable<Item extends Member & { readonly weight: number }>(
  endpoints: readonly Item[],
  availability: Availability,
  panicPercent: number,
): { readonly endpoints: readonly Item[]; readonly isPanic: boolean } {
  const healthy = endpoints.filter((endpoint) => availability.isAvailable(endpoint));
  if (healthy.length === endpoints.length) return { endpoints, isPanic: false };
  const weighty = (items: readonly Item[]) => items.filter(({ weight }) => weight > 0).length;
  const isPanic = weighty(healthy) * 100 < weighty(endpoints) * panicPercent;
  return { endpoints: isPanic ? endpoints : healthy, isPanic };
}
