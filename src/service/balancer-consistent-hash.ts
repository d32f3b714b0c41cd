import type { Balancer, Candidate } from "./balancer.ts";
import type { DrawerDeps } from "./balancer-draw.ts";
import { randomChoice } from "./balancer-random.ts";
import { Ring, unitOf } from "./balancer-ring.ts";

/** No endpoint carries more than this times its fair part of what is in flight… */
const BOUND = 1.25;
/** …but for a few requests: the many of one client at once are no overload. */
const FREE_REQUESTS = 8;
/** Points that are looked at for one that has room; then the least loaded of them takes the request. */
const STEPS = 64;
/** Of n endpoints the loads are summed anew after n / 16 questions: a sum costs as much as a few look-ups. */
const SUM_SHARE = 1 / 16;

/**
 * Equal keys go to one endpoint, and when the set changes few go elsewhere: those of an endpoint that left, and what
 * one that joined takes over. Where an endpoint has too much (bounded loads), the next on the ring takes the request,
 * the same one for the same key. Without a key one is drawn by weight.
 */
export function consistentHash<Item extends Candidate>(deps: DrawerDeps<Item>): Balancer<Item> {
  const { ramp } = deps;
  const keyless = randomChoice(deps);
  let seats = seat<Item>([], null);
  let bounds = createBounds<Item>([]);
  const walk = (from: number) => {
    const shares = ramp !== null && ramp.step() >= 0 ? ramp : null;
    const { ring, takers } = seats;
    let least: Item | null = null;
    let steps = 0;
    for (let i = 0, at = from; steps < STEPS && i < ring.size; i++, at = at + 1 < ring.size ? at + 1 : 0) {
      const endpoint = takers[ring.owners[at] ?? 0];
      if (endpoint === undefined || endpoint === null) continue;
      steps++;
      // One that warms up has a part of its points, always the same ones first: each key moves to it once.
      if (shares !== null && (ring.levels[at] ?? 0) > shares.shareOf(endpoint)) continue;
      if (bounds.hasRoom(endpoint)) return endpoint;
      if (least === null || loadOf(endpoint) < loadOf(least)) least = endpoint;
    }
    return least ?? keyless.pick();
  };
  return {
    pick: (key) => (key === undefined || seats.ring.size === 0 ? keyless.pick() : walk(seats.ring.find(key))),
    update(endpoints) {
      keyless.update(endpoints);
      const next = endpoints.filter(({ weight }) => weight > 0);
      seats = seat(next, seats);
      bounds = createBounds(next);
    },
    observe: null,
  };
}

/** A ring, and who takes what belongs to each of its members. */
interface Seats<Item> {
  readonly ring: Ring;
  /** Null for members that are not in the set now: what is theirs goes to the next, as if they had no points. */
  readonly takers: readonly (Item | null)[];
}

/**
 * Seats a set on the ring that is there, if it would be the same for the set but for members that are away. A ring is
 * dear to lay out, and endpoints go out and come back often.
 */
function seat<Item extends Candidate>(next: readonly Item[], seats: Seats<Item> | null): Seats<Item> {
  if (seats !== null && unitOf(next) === seats.ring.unit && next.length * 2 >= seats.ring.members.length) {
    const byId = new Map(next.map((endpoint) => [endpoint.id, endpoint]));
    const takers = seats.ring.members.map(({ id, weight }) => {
      const endpoint = byId.get(id);
      return endpoint?.weight === weight && byId.delete(id) ? endpoint : null;
    });
    if (byId.size === 0) return { ring: seats.ring, takers };
  }
  return { ring: new Ring(next), takers: next };
}

function loadOf({ pool, weight }: Candidate): number {
  return pool.inFlight / weight;
}

/** Says who of a set may take one more request. */
function createBounds<Item extends Candidate>(endpoints: readonly Item[]): { hasRoom(endpoint: Item): boolean } {
  const weights = endpoints.reduce((sum, { weight }) => sum + weight, 0);
  const period = Math.floor(endpoints.length * SUM_SHARE);
  let left = 0;
  let inFlight = 0;
  return {
    hasRoom({ pool, weight }) {
      if (pool.inFlight < FREE_REQUESTS) return true;
      if (--left < 0) {
        left = period;
        inFlight = 0;
        for (const endpoint of endpoints) inFlight += endpoint.pool.inFlight;
      }
      return pool.inFlight < Math.ceil((BOUND * (inFlight + 1) * weight) / weights);
    },
  };
}
