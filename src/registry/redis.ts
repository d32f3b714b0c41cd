import { CHANGES_CHANNEL } from "../../packages/mesh/src/keys.ts";
import { createLastGood, type KnownSet, type LastGood } from "./last-good.ts";
import { createMeshEntry, type MeshEntry, type MeshWatcher } from "./mesh-entry.ts";
import type { ChannelFollower, MeshLink } from "./mesh-link.ts";
import { createQueue } from "./mesh-queue.ts";
import type { IgnoredEndpoint } from "./mesh-record.ts";
import { createReports } from "./mesh-reports.ts";
import { createTrust, type MeshTrust } from "./mesh-trust.ts";
import type { EndpointJudge, EndpointSpec, Registry } from "./registry.ts";

/** Told what an operator should know. Its functions must not throw. */
export interface RedisRegistryEvents {
  /** Redis was lost or came back; not told when the first reading succeeds. */
  readonly onState: (isUp: boolean, reason: string | null) => void;
  /** Once for each endpoint that is not used and each reason. `isLoud` is false from the 20th within a minute on. */
  readonly onIgnored: (service: string, ignored: IgnoredEndpoint, isLoud: boolean) => void;
  /** So many were not loud. */
  readonly onManyIgnored?: (service: string, count: number) => void;
  /** Redis says no to the reading of one service, such as for a key of another type: it stays as it was. Once in a row. */
  readonly onRefused: (service: string, reason: string) => void;
  /** A service that could not be read yet has the endpoints that are remembered of it. Nobody hears unless given. */
  readonly onRecalled?: (service: string, known: KnownSet) => void;
}

export interface RedisRegistryOptions extends RedisRegistryEvents {
  readonly link: MeshLink;
  /** What is remembered from before, and of this reading; by itself unless given. */
  readonly lastGood?: LastGood;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  /** All is read anew so often, give or take a fifth; 5 s unless given. */
  readonly periodMs?: number;
  /** 0 to 1, so that many gateways do not read in one moment. */
  readonly random?: () => number;
}

/** A registry in Redis. */
export interface RedisRegistry extends Required<Registry> {
  /** Whether the last reading succeeded; true before the first. */
  readonly isUp: boolean;
  /** How many services have the endpoints that are remembered of them, as they were not read yet. */
  readonly recalled: number;
  /** Reads all now, without waiting for the period's end: for who learns that Redis may be away. */
  look(): void;
  /** Reads no more. Watches stay until their signals abort. */
  close(): void;
}

/** Messages may be lost, and plain writes may come without one. */
const PERIOD_MS = 5000;
/** So many services are read at once. */
const READINGS = 32;
/** After a reading a service has a millisecond's rest for so many entries: to take many of them is work. */
const RESTED_ENTRIES = 40;
/** And this much anyway: one that tells of changes without a pause is read, and logged about, no faster. */
const LEAST_REST_MS = 25;

/** The services that are watched. */
interface Entries {
  enter(service: string, watcher: MeshWatcher): MeshEntry;
  leave(entry: MeshEntry, watcher: MeshWatcher): void;
  all(): Iterable<MeshEntry>;
  find(service: string): MeshEntry | undefined;
  read(service: string): void;
  readAll(): void;
  close(): void;
}

/** For a registry that is given no memory: it has one of its own. */
function ownMemory(): LastGood {
  return createLastGood({ first: new Map(), nowAt: Date.now, onChange() {} });
}

function createEntries(options: RedisRegistryOptions, trust: MeshTrust, now: () => number): Entries {
  const { link, periodMs = PERIOD_MS, lastGood = ownMemory(), onRecalled = () => {} } = options;
  const entries = new Map<string, MeshEntry>();
  const queue = createQueue<MeshEntry>(READINGS, async (entry) => {
    await entry.read();
    return Math.max(LEAST_REST_MS, entry.size / RESTED_ENTRIES);
  });

  function make(service: string): MeshEntry {
    const reports = createReports({ onManyIgnored() {}, ...options, service, now });
    const onDue = queue.add;
    const entry = createMeshEntry({ service, link, trust, reports, lastGood, now, periodMs, onDue, onRecalled });
    entries.set(service, entry);
    lastGood.enter(service);
    queue.add(entry);
    return entry;
  }

  return {
    enter: (service, watcher) => {
      const entry = entries.get(service) ?? make(service);
      entry.watchers.add(watcher);
      return entry;
    },
    leave: (entry, watcher) => {
      entry.watchers.delete(watcher);
      if (entry.watchers.size > 0) return;
      entries.delete(entry.service);
      lastGood.leave(entry.service);
      queue.drop(entry);
      entry.close();
    },
    read: (service) => {
      const entry = entries.get(service);
      // Of thousands that are read anyway at this moment, nobody waits for any.
      if (entry !== undefined) queue.hurry(entry);
    },
    all: () => entries.values(),
    find: (service) => entries.get(service),
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
 * known; a service that was never read has then what is remembered of it, and is empty without. `close` it.
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

  async function* watch(
    service: string,
    signal: AbortSignal,
    judge: EndpointJudge | null = null,
  ): AsyncGenerator<readonly EndpointSpec[]> {
    if (signal.aborted) return;
    const watcher = { judge };
    const entry = entries.enter(service, watcher);
    signal.addEventListener("abort", () => entries.leave(entry, watcher), { once: true });
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
    get recalled() {
      return [...entries.all()].filter(({ isFromCopy }) => isFromCopy).length;
    },
    isRecalled: (service) => entries.find(service)?.isFromCopy ?? false,
    look: entries.readAll,
    close: () => {
      closed.abort();
      clearTimeout(timer);
      entries.close();
    },
  };
}
