import { CHANGES_CHANNEL } from "../../packages/mesh/src/keys.ts";
import { createAlarm } from "./alarm.ts";
import type { Feed } from "./feed.ts";
import type { KnownSet, LastGood } from "./last-good.ts";
import type { MeshLink } from "./mesh-link.ts";
import { createMissing } from "./mesh-missing.ts";
import { type MeshReading, MOST_ENDPOINTS, readService } from "./mesh-read.ts";
import { endpointsOf } from "./mesh-record.ts";
import type { Reports } from "./mesh-reports.ts";
import { createMeshSet } from "./mesh-set.ts";
import type { MeshTrust } from "./mesh-trust.ts";
import type { EndpointJudge, EndpointSpec } from "./registry.ts";

/** One service that is watched. */
export interface MeshEntry {
  readonly service: string;
  readonly feed: Feed<readonly EndpointSpec[]>;
  /** Resolves when the first reading has come to an end, whichever, or there will be none. */
  readonly first: Promise<void>;
  /** Those who watch it, each with its judge, if it has one. */
  readonly watchers: Set<MeshWatcher>;
  /** True while its endpoints are those of the last good copy, as Redis could not be read yet. */
  readonly isFromCopy: boolean;
  /** Entries that stood there at the last reading, whatever they are worth; as many as may be where that was refused. */
  readonly size: number;
  /** Reads it; what fails leaves it as it was. Never rejects. */
  read(): Promise<void>;
  /** Takes nothing more from readings under way. */
  close(): void;
}

export interface MeshWatcher {
  readonly judge: EndpointJudge | null;
}

export interface MeshEntryOptions {
  readonly service: string;
  readonly link: MeshLink;
  readonly trust: MeshTrust;
  readonly reports: Reports;
  readonly lastGood: LastGood;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** It is read so often anyway. */
  readonly periodMs: number;
  /** Its next lease ended. */
  readonly onDue: (entry: MeshEntry) => void;
  /** Its endpoints come from the last good copy. */
  readonly onRecalled: (service: string, known: KnownSet) => void;
}

function judgesOf(watchers: Iterable<MeshWatcher>): readonly EndpointJudge[] {
  return [...watchers].flatMap(({ judge }) => (judge === null ? [] : [judge]));
}

/** A service without endpoints, until it is read. */
export function createMeshEntry(options: MeshEntryOptions): MeshEntry {
  const { service, link, trust, reports, lastGood, now, periodMs, onDue, onRecalled } = options;
  const first = Promise.withResolvers<void>();
  const watchers = new Set<MeshWatcher>();
  const missing = createMissing({ trust, now, judges: () => judgesOf(watchers) });
  const set = createMeshSet({ service, trust, missing, lastGood, onRecalled });
  const due = createAlarm(() => onDue(entry));
  let isClosed = false;
  let size = 0;

  function take({ live, swept, mark }: MeshReading): void {
    size = live.length + swept.length;
    const { used, ignored } = endpointsOf(live);
    reports.told(used, ignored, swept);
    const ids = live.map(({ id }) => id);
    set.take(used, ids, mark);
    if (swept.length > 0) link.publish(CHANGES_CHANNEL, service).catch(() => {});
    const nextMs = live.reduce((least, { leftMs }) => Math.min(least, leftMs), Number.POSITIVE_INFINITY);
    // What ends later than a period is seen by the reading before.
    if (nextMs > periodMs) due.clear();
    else due.set(nextMs);
  }

  function failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (link.isAway(error)) trust.failed(reason);
    else {
      size = MOST_ENDPOINTS;
      reports.refused(reason);
    }
    set.recall();
  }

  async function read(): Promise<void> {
    try {
      const reading = await readService(link, service, crypto.randomUUID());
      if (isClosed) return;
      trust.succeeded();
      take(reading);
    } catch (error) {
      if (!isClosed) failed(error);
    } finally {
      first.resolve();
    }
  }

  const entry: MeshEntry = {
    service,
    feed: set.feed,
    first: first.promise,
    watchers,
    get isFromCopy() {
      return set.isFromCopy;
    },
    get size() {
      return size;
    },
    read,
    close: () => {
      isClosed = true;
      due.clear();
      set.close();
      first.resolve();
    },
  };
  return entry;
}
