import type { MeshTrust } from "./mesh-trust.ts";
import type { EndpointJudge, EndpointSpec } from "./registry.ts";

/** For so long after a doubt, what is missing is not yet taken for gone: its owners write it again first. */
const GRACE_MS = 15_000;
/** With health checks, as long as they pass, and no longer than this. */
const CHECKED_GRACE_MS = 300_000;

/** Decides about endpoints that were known and are missing from what was read. */
export interface Missing {
  /** Endpoints with these ids stand in Redis: if they are missing later, they left. */
  seen(ids: Iterable<string>): void;
  /** Those of the known ones that are used on, though they are not among those read. */
  stay(read: readonly EndpointSpec[], known: readonly EndpointSpec[]): readonly EndpointSpec[];
}

export interface MissingOptions {
  readonly trust: Pick<MeshTrust, "doubtedAt">;
  readonly now: () => number;
  /** Of those who watch, where they check endpoints. */
  readonly judges: () => readonly EndpointJudge[];
}

/**
 * After a doubt, an endpoint that has not been read since may only not have been written again yet. It stays for a
 * grace of 15 s; where its service makes health checks, for five minutes, but only until they fail.
 */
export function createMissing({ trust, now, judges }: MissingOptions): Missing {
  let seen = new Set<string>();
  let seenSince = Number.NEGATIVE_INFINITY;

  function isNew(): void {
    if (seenSince === trust.doubtedAt) return;
    seenSince = trust.doubtedAt;
    seen = new Set();
  }

  /** Says of the endpoints that were not seen whether they may stay; null: none of them. */
  function judge(): EndpointJudge | null {
    const sinceMs = now() - trust.doubtedAt;
    const all = judges();
    if (all.length === 0) return sinceMs < GRACE_MS ? () => true : null;
    return sinceMs < CHECKED_GRACE_MS ? (endpoint) => all.some((isAnswering) => isAnswering(endpoint)) : null;
  }

  return {
    seen: (ids) => {
      isNew();
      // Without a doubt nobody asks, and a service may have thousands.
      if (trust.doubtedAt > Number.NEGATIVE_INFINITY && judge() !== null) for (const id of ids) seen.add(id);
      else seen = new Set();
    },
    stay: (read, known) => {
      const may = judge();
      if (may === null) return [];
      isNew();
      const ids = new Set(read.map(({ id }) => id));
      const urls = new Set(read.map(({ url }) => url));
      return known.filter((one) => !seen.has(one.id) && !ids.has(one.id) && !urls.has(one.url) && may(one));
    },
  };
}
