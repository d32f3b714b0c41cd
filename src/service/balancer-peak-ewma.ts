import type { Balancer, Candidate } from "./balancer.ts";
import { createDrawer, type DrawerDeps } from "./balancer-draw.ts";

/** What was observed counts e-fold less after so long: a slow endpoint is tried again, a lone slow response forgotten. */
const DECAY_MS = 10_000;
/** What an endpoint that never answered counts as while a first request is there: one try at a time, not all at once. */
const UNKNOWN_MS = 1000;
/** Below any response time; 0 stands for "never answered". */
const LEAST_MS = 0.01;

interface Pace {
  /** Response time as it was reckoned at `atMs`; 0: it never answered. */
  ms: number;
  atMs: number;
}

export interface PeakEwmaDeps<Item extends Candidate> extends DrawerDeps<Item> {
  /** Any steady clock. */
  readonly nowMs: () => number;
}

/**
 * Of two endpoints drawn by weight, the one that is expected to answer sooner: its response time, a moving average that
 * jumps up at once and comes down slowly, times the requests it would have in flight, for its weight.
 */
export function peakEwma<Item extends Candidate>(deps: PeakEwmaDeps<Item>): Balancer<Item> {
  const { nowMs, ramp } = deps;
  const drawer = createDrawer(deps);
  let paces = new Map<Item["pool"], Pace>();
  const cost = (endpoint: Item, atMs: number) => {
    const { pool, weight } = endpoint;
    const waiting = expectedMs(paces.get(pool), pool.inFlight, atMs);
    return waiting / (ramp === null ? weight : weight * ramp.shareOf(endpoint));
  };
  return {
    pick() {
      const first = drawer.draw();
      const second = drawer.draw();
      if (first === null || second === null || first === second) return first;
      const atMs = nowMs();
      return cost(second, atMs) < cost(first, atMs) ? second : first;
    },
    update(endpoints) {
      paces = new Map(endpoints.map(({ pool }) => [pool, paces.get(pool) ?? { ms: 0, atMs: 0 }]));
      drawer.update(endpoints);
    },
    observe({ pool }, responseMs) {
      const pace = paces.get(pool);
      if (pace !== undefined) note(pace, Math.max(LEAST_MS, responseMs), nowMs());
    },
  };
}

/** 0 for an idle endpoint that never answered: it is to be found out about. */
function expectedMs(pace: Pace | undefined, inFlight: number, atMs: number): number {
  if (pace === undefined || pace.ms === 0) return inFlight === 0 ? 0 : UNKNOWN_MS * inFlight;
  return pace.ms * remaining(pace, atMs) * (inFlight + 1);
}

function note(pace: Pace, responseMs: number, atMs: number): void {
  const kept = remaining(pace, atMs);
  pace.ms = responseMs > pace.ms ? responseMs : pace.ms * kept + responseMs * (1 - kept);
  pace.atMs = atMs;
}

function remaining({ atMs: notedAt }: Pace, atMs: number): number {
  return Math.exp((notedAt - atMs) / DECAY_MS);
}
