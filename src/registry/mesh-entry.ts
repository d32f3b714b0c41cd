import { CHANGES_CHANNEL } from "../../packages/mesh/src/keys.ts";
import { createFeed, type Feed } from "./feed.ts";
import type { MeshLink } from "./mesh-link.ts";
import { type MeshReading, readService } from "./mesh-read.ts";
import { endpointsOf } from "./mesh-record.ts";
import type { Reports } from "./mesh-reports.ts";
import type { MeshTrust } from "./mesh-trust.ts";
import type { EndpointSpec } from "./registry.ts";

/** One service that is watched. */
export interface MeshEntry {
  readonly service: string;
  readonly feed: Feed<readonly EndpointSpec[]>;
  /** Resolves when the first reading has come to an end, whichever, or there will be none. */
  readonly first: Promise<void>;
  watchers: number;
  /** Reads it; what fails leaves it as it was. Never rejects. */
  read(): Promise<void>;
  /** Takes nothing more from readings under way. */
  close(): void;
}

export interface MeshEntryOptions {
  readonly service: string;
  readonly link: MeshLink;
  readonly trust: MeshTrust;
  readonly reports: Reports;
  /** It is read so often anyway. */
  readonly periodMs: number;
  /** Its next lease ended. */
  readonly onDue: (entry: MeshEntry) => void;
}

/** What was known and is missing, beside what is there. */
function withMissing(used: readonly EndpointSpec[], known: readonly EndpointSpec[]): readonly EndpointSpec[] {
  const ids = new Set(used.map(({ id }) => id));
  const urls = new Set(used.map(({ url }) => url));
  const missing = known.filter(({ id, url }) => !ids.has(id) && !urls.has(url));
  return missing.length === 0 ? used : [...used, ...missing].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** A service without endpoints, until it is read. */
export function createMeshEntry(options: MeshEntryOptions): MeshEntry {
  const { service, link, trust, reports, periodMs, onDue } = options;
  const feed = createFeed<readonly EndpointSpec[]>(Object.freeze([]));
  const first = Promise.withResolvers<void>();
  let mark: string | null = null;
  let text = "[]";
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function take({ live, swept, mark: standing }: MeshReading): void {
    if (mark !== null && standing !== mark) trust.doubt();
    mark = standing;
    const { used, ignored } = endpointsOf(live);
    reports.told(used, ignored, swept);
    const next = trust.isDoubtful ? withMissing(used, feed.value) : used;
    const nextText = JSON.stringify(next);
    if (nextText !== text) feed.set(Object.freeze([...next]));
    text = nextText;
    if (swept.length > 0) link.publish(CHANGES_CHANNEL, service).catch(() => {});
    wake(Math.min(...live.map(({ leftMs }) => leftMs)));
  }

  /** Reads again when the first lease ends; what ends later than a period is seen by the reading before. */
  function wake(inMs: number): void {
    clearTimeout(timer);
    if (inMs > periodMs) return;
    timer = setTimeout(() => onDue(entry), Math.max(1, inMs));
    timer.unref();
  }

  function failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (link.isAway(error)) trust.failed(reason);
    else reports.refused(reason);
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
    feed,
    first: first.promise,
    watchers: 0,
    read,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      first.resolve();
    },
  };
  return entry;
}
