import type { EndpointSpec } from "./registry.ts";

/** Runs the work when it is its turn. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/** What all that ask DNS in one process have in common. */
export interface DnsShare {
  /** Last known sets by what was asked, for a watch that begins while DNS fails. */
  readonly remembered: Map<string, readonly EndpointSpec[]>;
  /** Turns with one server; null is the system's. */
  turnsOf(server: string | null): Turn;
}

// More at once would overrun a socket's buffer, and what is lost there is asked again only after a second.
const QUESTIONS_AT_ONCE = 200;

/** Lets so many work at once; the others wait in the order in which they came. */
export function createTurns(limit: number): Turn {
  const waiting = new Set<() => void>();
  let working = 0;

  function end(): void {
    const [next] = waiting;
    if (next === undefined) working--;
    else {
      waiting.delete(next);
      next();
    }
  }

  return async (work) => {
    if (working < limit) working++;
    else await new Promise<void>((resolve) => void waiting.add(resolve));
    try {
      return await work();
    } finally {
      end();
    }
  };
}

/** Nothing is remembered yet, and nobody waits. */
export function createDnsShare(): DnsShare {
  const turns = new Map<string | null, Turn>();
  return {
    remembered: new Map(),
    turnsOf: (server) => {
      const known = turns.get(server) ?? createTurns(QUESTIONS_AT_ONCE);
      turns.set(server, known);
      return known;
    },
  };
}
