/** An availability of five in seven still counts as a whole: what is left can carry so much more for a while. */
const OVERPROVISIONING = 1.4;

/** Weights of the endpoints of the gateway's zone, or of all others. */
export interface Capacity {
  /** Of those that may be chosen. */
  readonly available: number;
  /** Of all that the registry tells. */
  readonly total: number;
}

function healthOf({ available, total }: Capacity): number {
  return total === 0 ? 0 : Math.min(1, (OVERPROVISIONING * available) / total);
}

/**
 * The part of the requests, 0 to 1, that stays in the gateway's zone: its health, which is its available part times
 * 1.4, and 1 at most. What is missing goes elsewhere; where both together are less than a whole, each takes its part of
 * that. A function of the present alone, and without a leap: nothing swings to and fro.
 */
export function ownShare(own: Capacity, others: Capacity): number {
  const [here, there] = [healthOf(own), healthOf(others)];
  return here === 0 ? 0 : here / Math.min(1, here + there);
}

/** Whether zones together can take everything, so that none of what is out need be used. */
export function suffices(own: Capacity, others: Capacity): boolean {
  return own.total > 0 && healthOf(own) + healthOf(others) >= 1;
}
