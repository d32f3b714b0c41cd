import { CHANGES_CHANNEL } from "../../packages/mesh/src/keys.ts";
import { createFeed, type Feed } from "./feed.ts";
import type { KnownSet, LastGood } from "./last-good.ts";
import type { MeshLink } from "./mesh-link.ts";
import { createMissing } from "./mesh-missing.ts";
import { type MeshReading, readService } from "./mesh-read.ts";
import { endpointsOf } from "./mesh-record.ts";
import type { Reports } from "./mesh-reports.ts";
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

/** So often endpoints that are missing are judged. */
const JUDGED_EVERY_MS = 500;

function judgesOf(watchers: Iterable<MeshWatcher>): readonly EndpointJudge[] {
  return [...watchers].flatMap(({ judge }) => (judge === null ? [] : [judge]));
}

/** A timer that is set anew each time, and keeps no process alive. */
function createAlarm(run: () => void) {
  let timer: NodeJS.Timeout | undefined;
  const clear = (): void => clearTimeout(timer);
  return {
    clear,
    set: (inMs: number) => {
      clear();
      timer = setTimeout(run, Math.max(1, inMs));
      timer.unref();
    },
  };
}

/** A service without endpoints, until it is read. */
export function createMeshEntry(options: MeshEntryOptions): MeshEntry {
  const { service, link, trust, reports, lastGood, now, periodMs, onDue } = options;
  const feed = createFeed<readonly EndpointSpec[]>(Object.freeze([]));
  const first = Promise.withResolvers<void>();
  const watchers = new Set<MeshWatcher>();
  const missing = createMissing({ trust, now, judges: () => judgesOf(watchers) });
  const due = createAlarm(() => onDue(entry));
  const judging = createAlarm(settle);
  /** What Redis held at the last reading; null before the first. */
  let read: readonly EndpointSpec[] | null = null;
  let mark: string | null = null;
  /** The mark that belongs to what is remembered: an older one while endpoints are missing. */
  let trustedMark = "";
  let isFromCopy = false;
  let text = "[]";
  let isClosed = false;

  function publish(next: readonly EndpointSpec[]): void {
    const nextText = JSON.stringify(next);
    if (nextText !== text) feed.set(Object.freeze([...next]));
    text = nextText;
  }

  /** Redis may have been emptied before this gateway began: then what it remembers counts, too. */
  function compare(standing: string): readonly EndpointSpec[] {
    const isFirst = mark === null;
    const known = isFirst ? lastGood.recall(service) : null;
    const before = isFirst ? (known?.mark ?? "") : mark;
    if (before !== "" && before !== standing) trust.doubt();
    mark = standing;
    return known === null || isFromCopy || feed.value.length > 0 ? feed.value : known.endpoints;
  }

  function take({ live, swept, mark: standing }: MeshReading): void {
    const known = compare(standing);
    const { used, ignored } = endpointsOf(live);
    reports.told(used, ignored, swept);
    isFromCopy = false;
    read = used;
    missing.seen(live.map(({ id }) => id));
    use(used, known);
    if (swept.length > 0) link.publish(CHANGES_CHANNEL, service).catch(() => {});
    const nextMs = live.reduce((least, { leftMs }) => Math.min(least, leftMs), Number.POSITIVE_INFINITY);
    // What ends later than a period is seen by the reading before.
    if (nextMs > periodMs) due.clear();
    else due.set(nextMs);
  }

  function use(used: readonly EndpointSpec[], known: readonly EndpointSpec[]): void {
    const staying = missing.stay(used, known);
    publish(staying.length === 0 ? used : [...used, ...staying].toSorted((a, b) => (a.id < b.id ? -1 : 1)));
    if (staying.length === 0) trustedMark = mark ?? "";
    lastGood.remember(service, { endpoints: feed.value, mark: trustedMark });
    if (staying.length === 0) judging.clear();
    else judging.set(JUDGED_EVERY_MS);
  }

  /** Judges anew. While Redis is away all stay as they are. */
  function settle(): void {
    if (isClosed || read === null) return;
    const isChanged = trust.isUp && read.length + missing.stay(read, feed.value).length < feed.value.length;
    if (isChanged) use(read, feed.value);
    else judging.set(JUDGED_EVERY_MS);
  }

  function recall(): void {
    if (read !== null || isFromCopy) return;
    const known = lastGood.recall(service);
    if (known === null) return;
    isFromCopy = true;
    trustedMark = known.mark;
    publish(known.endpoints);
    options.onRecalled(service, known);
  }

  function failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (link.isAway(error)) trust.failed(reason);
    else reports.refused(reason);
    recall();
  }

  async function readNow(): Promise<void> {
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
    watchers,
    get isFromCopy() {
      return isFromCopy;
    },
    read: readNow,
    close: () => {
      isClosed = true;
      due.clear();
      judging.clear();
      first.resolve();
    },
  };
  return entry;
}
