import { CHANGES_CHANNEL } from "../../packages/mesh/src/keys.ts";
import { createMeshEntry, type MeshEntry } from "./mesh-entry.ts";
import type { ChannelFollower, MeshLink } from "./mesh-link.ts";
import { createQueue } from "./mesh-queue.ts";
import type { IgnoredEndpoint } from "./mesh-record.ts";
import { createReports } from "./mesh-reports.ts";
import { createTrust, type MeshTrust } from "./mesh-trust.ts";
import type { EndpointSpec, Registry } from "./registry.ts";

/** Told what an operator should know. Its functions must not throw. */
export interface RedisRegistryEvents {
  /** Redis was lost or came back; not told when the first reading succeeds. */
  readonly onState: (isUp: boolean, reason: string | null) => void;
  /** Once for each endpoint that is not used and each reason. */
  readonly onIgnored: (service: string, ignored: IgnoredEndpoint) => void;
  /** Redis says no to the reading of one service, such as for a key of another type: it stays as it was. Once in a row. */
  readonly onRefused: (service: string, reason: string) => void;
}

export interface RedisRegistryOptions extends RedisRegistryEvents {
  readonly link: MeshLink;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  /** All is read anew so often, give or take a fifth; 5 s unless given. */
  readonly periodMs?: number;
  /** 0 to 1, so that many gateways do not read in one moment. */
  readonly random?: () => number;
}

/** A registry in Redis. */
export interface RedisRegistry extends Registry {
  /** Whether the last reading succeeded; true before the first. */
  readonly isUp: boolean;
  /** Reads no more. Watches stay until their signals abort. */
  close(): void;
}

/** Messages may be lost, and plain writes may come without one. */
const PERIOD_MS = 5000;
/** So many services are read at once. */
const READINGS = 32;

/** The services that are watched. */
interface Entries {
  enter(service: string): MeshEntry;
  leave(entry: MeshEntry): void;
  read(service: string): void;
  readAll(): void;
  close(): void;
}

function createEntries(options: RedisRegistryOptions, trust: MeshTrust, now: () => number): Entries {
  const { link, periodMs = PERIOD_MS } = options;
  const entries = new Map<string, MeshEntry>();
  const queue = createQueue<MeshEntry>(READINGS, (entry) => entry.read());

  function make(service: string): MeshEntry {
    const reports = createReports({ service, now, ...options });
    const entry = createMeshEntry({ service, link, trust, reports, periodMs, onDue: queue.add });
    entries.set(service, entry);
    queue.add(entry);
    return entry;
  }

  return {
    enter: (service) => {
      const entry = entries.get(service) ?? make(service);
      entry.watchers++;
      return entry;
    },
    leave: (entry) => {
      if (--entry.watchers > 0) return;
      entries.delete(entry.service);
      queue.drop(entry);
      entry.close();
    },
    read: (service) => {
      const entry = entries.get(service);
      if (entry !== undefined) queue.add(entry);
    },
    readAll: () => {
      for (const entry of entries.values()) queue.add(entry);
    },
    close: () => {
      queue.stop();
      for (const entry of entries.values()) entry.close();
    },
  };
}

function createFollower(entries: Entries, trust: MeshTrust): ChannelFollower {
  let hasFollowed = false;
  return {
    message: entries.read,
    gap: () => {
      // A Redis that restarts fast loses what it held before any reading fails.
      if (hasFollowed) trust.doubt();
      hasFollowed = true;
      entries.readAll();
    },
  };
}

/**
 * Endpoints that services write into Redis. Whole sets are read, never deltas: on every message of a change, after
 * every loss of the connection, when a lease ends, and on a period. While Redis is away, sets stay as they were last
 * known; a service that was never read is empty then. `close` it.
 */
export function createRedisRegistry(options: RedisRegistryOptions): RedisRegistry {
  const { link, now = () => performance.now(), random = Math.random, periodMs = PERIOD_MS } = options;
  const closed = new AbortController();
  const trust = createTrust({ now, onState: options.onState });
  const entries = createEntries(options, trust, now);
  let timer: NodeJS.Timeout | undefined;

  function again(): void {
    timer = setTimeout(tick, periodMs * (0.8 + 0.4 * random()));
    timer.unref();
  }

  function tick(): void {
    entries.readAll();
    again();
  }

  async function* watch(service: string, signal: AbortSignal): AsyncGenerator<readonly EndpointSpec[]> {
    if (signal.aborted) return;
    const entry = entries.enter(service);
    signal.addEventListener("abort", () => entries.leave(entry), { once: true });
    await entry.first;
    yield* entry.feed.follow(signal);
  }

  again();
  link.follow(CHANGES_CHANNEL, createFollower(entries, trust), closed.signal);
  return {
    watch,
    get isUp() {
      return trust.isUp;
    },
    close: () => {
      closed.abort();
      clearTimeout(timer);
      entries.close();
    },
  };
}
