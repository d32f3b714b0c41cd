import type { EndpointSpec } from "./registry.ts";

/** What was last known of one service. */
export interface KnownSet {
  /** Without their loads, which are of a moment. */
  readonly endpoints: readonly EndpointSpec[];
  /** The mark that stood beside them in Redis; "": none that could be compared with. */
  readonly mark: string;
  /** When it was read last, in epoch milliseconds. */
  readonly at: number;
}

/** Remembers what was last known of services, for when Redis cannot be read. */
export interface LastGood {
  /** Null for a service that nobody remembers. */
  recall(service: string): KnownSet | null;
  /** Takes what a reading gave; nothing of it is changed later. */
  remember(service: string, known: Omit<KnownSet, "at">): void;
  /** Counts a service as used, until `leave`. */
  enter(service: string): void;
  leave(service: string): void;
}

/** All that is remembered. */
export interface LastGoodBook extends LastGood {
  /** Of services that are used, or were a moment ago, by name. */
  sets(): ReadonlyMap<string, KnownSet>;
}

export interface LastGoodOptions {
  /** What is known from before. */
  readonly first: ReadonlyMap<string, KnownSet>;
  /** Epoch milliseconds. */
  readonly nowAt: () => number;
  /** Called when a set of endpoints, or its mark, is another one than before. */
  readonly onChange: () => void;
}

/** What is older says little of what stands in Redis by now, and is not set against it. */
const MARK_COUNTS_MS = 15 * 60_000;
/** A service that nobody uses any more is remembered for so long: a reload may bring it back. */
const REMEMBERED_MS = 60_000;

function withoutLoad(endpoint: EndpointSpec): EndpointSpec {
  const { load: _, ...rest } = endpoint;
  return rest;
}

interface Remembered {
  readonly known: KnownSet;
  /** As they were told: the same array is the same set. */
  readonly given: readonly EndpointSpec[];
}

function isSame(one: KnownSet, mark: string, endpoints: readonly EndpointSpec[]): boolean {
  return one.mark === mark && JSON.stringify(one.endpoints) === JSON.stringify(endpoints);
}

/** Makes the book; nothing is to be closed. */
export function createLastGood({ first, nowAt, onChange }: LastGoodOptions): LastGoodBook {
  const sets = new Map<string, Remembered>();
  for (const [service, known] of first) sets.set(service, { known, given: known.endpoints });
  const uses = new Map<string, number>();
  const leftAt = new Map([...first.keys()].map((service) => [service, nowAt()] as const));

  function forget(): void {
    for (const [service, at] of leftAt) {
      if (nowAt() - at < REMEMBERED_MS) continue;
      leftAt.delete(service);
      sets.delete(service);
    }
  }

  return {
    recall: (service) => {
      const known = sets.get(service)?.known;
      if (known === undefined) return null;
      return nowAt() - known.at < MARK_COUNTS_MS ? known : { ...known, mark: "" };
    },
    remember: (service, { endpoints: given, mark }) => {
      const before = sets.get(service);
      const isGivenAgain = before?.given === given;
      const endpoints = isGivenAgain ? before.known.endpoints : given.map(withoutLoad);
      sets.set(service, { known: { endpoints, mark, at: nowAt() }, given });
      const isKnown = isGivenAgain
        ? before.known.mark === mark
        : before !== undefined && isSame(before.known, mark, endpoints);
      if (!isKnown) onChange();
    },
    enter: (service) => {
      leftAt.delete(service);
      uses.set(service, (uses.get(service) ?? 0) + 1);
    },
    leave: (service) => {
      const left = (uses.get(service) ?? 1) - 1;
      if (left > 0) uses.set(service, left);
      else {
        uses.delete(service);
        leftAt.set(service, nowAt());
        forget();
      }
    },
    sets: () => {
      forget();
      return new Map([...sets].map(([service, { known }]) => [service, known]));
    },
  };
}
