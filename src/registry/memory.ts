import { createFeed, type Feed } from "./feed.ts";
import type { EndpointSpec, Registry } from "./registry.ts";

// Longer delays overflow the runtime's timer and would fire at once.
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export interface MemoryRegistryOptions {
  /** Milliseconds of a clock that never goes back; only differences count. */
  readonly now?: () => number;
  /** Calls back once, after a delay; gives a function that calls it off. */
  readonly after?: (delayMs: number, run: () => void) => () => void;
}

/** A registry within the process. Endpoints stay until their lease ends. */
export interface MemoryRegistry extends Registry {
  /**
   * Adds an endpoint or replaces the one of the same id, and lends it its place for `leaseMs`; `Infinity` for ever.
   * Called again with an equal endpoint it only renews the lease, which watchers do not notice.
   * Throws a TypeError for an endpoint whose URL is not an origin, and for a lease that is not above 0.
   */
  register(service: string, endpoint: EndpointSpec, leaseMs: number): void;
  /** Removes an endpoint at once; one that is not there is no fault. */
  deregister(service: string, id: string): void;
  /** Forgets all and stops its timer. Watches stay until their signals abort. */
  close(): void;
}

interface Lease {
  readonly endpoint: EndpointSpec;
  readonly text: string;
  endsAt: number;
}

interface Entry {
  readonly leases: Map<string, Lease>;
  readonly feed: Feed<readonly EndpointSpec[]>;
}

function afterReal(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}

function check({ id, url }: EndpointSpec, leaseMs: number): void {
  const parsed = URL.parse(url);
  const isOrigin = parsed?.protocol === "http:" && `${parsed.origin}/` === parsed.href;
  if (!isOrigin) {
    throw new TypeError(`endpoint ${id}: ${JSON.stringify(url)} is no origin; write http://host:port without a path`);
  }
  if (!(leaseMs > 0)) throw new TypeError(`endpoint ${id}: a lease must be longer than 0 ms`);
}

function publish({ leases, feed }: Entry): void {
  feed.set(Object.freeze([...leases.values()].map(({ endpoint }) => endpoint)));
}

/** Removes what ended, and tells whether anything did. */
function expire({ leases }: Entry, now: number): boolean {
  let isChanged = false;
  for (const [id, lease] of leases) {
    if (lease.endsAt <= now) isChanged = leases.delete(id) || isChanged;
  }
  return isChanged;
}

function nextEnd(entries: Iterable<Entry>): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { leases } of entries) for (const { endsAt } of leases.values()) next = Math.min(next, endsAt);
  return next;
}

/** An empty registry; `close` it to stop its timer, which does not keep the process alive. */
export function createMemoryRegistry(options: MemoryRegistryOptions = {}): MemoryRegistry {
  const now = options.now ?? (() => performance.now());
  const after = options.after ?? afterReal;
  const services = new Map<string, Entry>();
  let wakesAt = Number.POSITIVE_INFINITY;
  let cancel = (): void => {};

  function entryOf(service: string): Entry {
    const known = services.get(service);
    if (known !== undefined) return known;
    const entry: Entry = { leases: new Map(), feed: createFeed<readonly EndpointSpec[]>(Object.freeze([])) };
    services.set(service, entry);
    return entry;
  }

  function wakeAt(at: number): void {
    if (at >= wakesAt) return;
    cancel();
    wakesAt = at;
    cancel = after(Math.min(Math.max(at - now(), 0), LONGEST_DELAY_MS), sweep);
  }

  function sweep(): void {
    for (const entry of services.values()) if (expire(entry, now())) publish(entry);
    wakesAt = Number.POSITIVE_INFINITY;
    wakeAt(nextEnd(services.values()));
  }

  function register(service: string, endpoint: EndpointSpec, leaseMs: number): void {
    check(endpoint, leaseMs);
    const entry = entryOf(service);
    const text = JSON.stringify(endpoint);
    const endsAt = now() + leaseMs;
    const known = entry.leases.get(endpoint.id);
    if (known?.text === text && known.endsAt > now()) known.endsAt = endsAt;
    else {
      entry.leases.set(endpoint.id, { endpoint: Object.freeze({ ...endpoint }), text, endsAt });
      publish(entry);
    }
    wakeAt(endsAt);
  }

  function deregister(service: string, id: string): void {
    const entry = services.get(service);
    if (entry?.leases.delete(id)) publish(entry);
  }

  return {
    register,
    deregister,
    watch: (service, signal) => entryOf(service).feed.follow(signal),
    close: () => {
      cancel();
      services.clear();
    },
  };
}
