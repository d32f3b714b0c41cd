/** What was noted counts for so long, and for as long again while newer is noted. */
const SPAN_MS = 10_000;
/** From one bucket to the next: what is told is up to so much too long. */
const RATIO = 1.1;
const LEAST_MS = 0.1;
/** The last bucket is for all beyond: some 20 minutes. */
const BUCKETS = 170;
/** So many are too few for any share. */
const LEAST_COUNT = 10;
/** It is reckoned anew after so long. */
const RECKONED_MS = 100;

/** How long a service's responses took lately, as shares of them. */
export interface ResponsePace {
  /**
   * Notes a response. An attempt that was given up is noted with what `at` had told: it took longer, which keeps that
   * from falling; how much longer nobody knows, so that it does not rise by endpoints that never answer.
   */
  add(ms: number): void;
  /**
   * What this share of them, above 0 and below 1, does not exceed, in milliseconds; null while they are too few to tell:
   * ten, and so many that at least one is beyond it.
   */
  at(share: number): number | null;
}

/** Knows nothing yet, and holds no memory until something is noted. `nowMs` is any steady clock. */
export function createResponsePace(nowMs: () => number): ResponsePace {
  let present: Uint32Array | null = null;
  let past: Uint32Array | null = null;
  let sinceMs = nowMs();
  const known = new Map<number, { readonly atMs: number; readonly ms: number }>();
  const turn = () => {
    const passedMs = nowMs() - sinceMs;
    if (passedMs < SPAN_MS) return;
    past = passedMs < 2 * SPAN_MS ? present : null;
    present = null;
    sinceMs = nowMs();
  };
  return {
    add(ms) {
      turn();
      present ??= new Uint32Array(BUCKETS);
      const bucket = bucketOf(ms);
      present[bucket] = (present[bucket] ?? 0) + 1;
    },
    at(share) {
      const last = known.get(share);
      if (last !== undefined && nowMs() - last.atMs < RECKONED_MS) return last.ms;
      turn();
      const ms = reckon(present, past, share);
      if (ms !== null) known.set(share, { atMs: nowMs(), ms });
      return ms;
    },
  };
}

function bucketOf(ms: number): number {
  if (ms <= LEAST_MS) return 0;
  // What `at` told stays in its bucket, although it was rounded.
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / LEAST_MS) / Math.log(RATIO) - 1e-6));
}

function reckon(present: Uint32Array | null, past: Uint32Array | null, share: number): number | null {
  const countAt = (bucket: number) => (present?.[bucket] ?? 0) + (past?.[bucket] ?? 0);
  let total = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) total += countAt(bucket);
  if (total < LEAST_COUNT || total * (1 - share) < 1 - 1e-9) return null;
  let left = Math.ceil(total * share - 1e-9);
  let bucket = 0;
  for (; bucket < BUCKETS - 1 && left > countAt(bucket); bucket++) left -= countAt(bucket);
  return LEAST_MS * RATIO ** bucket;
}
