import { SWEPT_AFTER_MS } from "./mesh-read.ts";
import type { IgnoredEndpoint } from "./mesh-record.ts";
import type { EndpointSpec } from "./registry.ts";

/** What is said of one service's endpoints, each thing once. */
export interface Reports {
  /** What a reading found: endpoints in use, those that are not, and those whose leases were over. */
  told(used: readonly EndpointSpec[], ignored: readonly IgnoredEndpoint[], swept: readonly string[]): void;
  /** The reading itself was refused. */
  refused(reason: string): void;
}

export interface ReportsOptions {
  readonly service: string;
  readonly now: () => number;
  readonly onIgnored: (service: string, ignored: IgnoredEndpoint, isLoud: boolean) => void;
  readonly onManyIgnored: (service: string, count: number) => void;
  readonly onRefused: (service: string, reason: string) => void;
}

/** Ids are remembered for so long after they were in use: all who sweep do so by then. */
const REMEMBERED_MS = 2 * SWEPT_AFTER_MS;
/** Of more only the number is said: who may write one service must not fill the log. */
const LOUD = 20;
const LOUD_WITHIN_MS = 60_000;
/** Ids that are remembered at the most; beyond, one whose lease was over may be told of though it had been in use. */
const MOST_SEEN = 50_000;
const PAST = "its lease is in the past; write epoch milliseconds by Redis's own clock (TIME)";

/** Makes the reports of a service; nothing is to be closed. */
export function createReports({ service, now, onIgnored, onManyIgnored, onRefused }: ReportsOptions): Reports {
  /** When an id was in use last: one that is swept and never was had a lease in the past from the beginning. */
  const seen = new Map<string, number>();
  let said = new Set<string>();
  let lastRefusal: string | null = null;
  /** What was over before this gateway looked may have been in use elsewhere. */
  let isFirst = true;

  /** Of the present minute: how many were loud, whether it was said that there are more, and how many came after that. */
  let minuteAt = Number.NEGATIVE_INFINITY;
  let loud = 0;
  let isFull = false;
  let untold = 0;

  function say(news: readonly IgnoredEndpoint[]): void {
    if (now() - minuteAt >= LOUD_WITHIN_MS) {
      if (untold > 0) onManyIgnored(service, untold);
      minuteAt = now();
      loud = 0;
      untold = 0;
      isFull = false;
    }
    const room = LOUD - loud;
    for (const [at, one] of news.entries()) onIgnored(service, one, at < room);
    loud += Math.min(room, news.length);
    const more = Math.max(0, news.length - room);
    if (isFull) untold += more;
    else if (more > 0) {
      isFull = true;
      onManyIgnored(service, more);
    }
  }

  function remember(used: readonly EndpointSpec[], ignored: readonly IgnoredEndpoint[]): void {
    if (seen.size > MOST_SEEN) seen.clear();
    for (const { id } of [...used, ...ignored]) seen.set(id, now());
    for (const [id, at] of seen) if (now() - at > REMEMBERED_MS) seen.delete(id);
  }

  function told(used: readonly EndpointSpec[], ignored: readonly IgnoredEndpoint[], swept: readonly string[]): void {
    lastRefusal = null;
    const past = isFirst ? [] : swept.filter((id) => !seen.has(id));
    isFirst = false;
    remember(used, ignored);
    const all = [...ignored, ...past.map((id): IgnoredEndpoint => ({ id, reason: "lease_over", detail: PAST }))];
    const before = said;
    const standing = ignored.map(({ id, reason }) => `${reason} ${id}`);
    // What was mended, or went, may be said anew; a lease in the past is said once a sweep at most.
    said = new Set([...standing, ...past.map((id) => `lease_over ${id}`)]);
    say(all.filter((one) => !before.has(`${one.reason} ${one.id}`)));
  }

  return {
    told,
    refused: (reason) => {
      if (reason !== lastRefusal) onRefused(service, reason);
      lastRefusal = reason;
    },
  };
}
