import type { Shares } from "./algorithm.ts";
import type { Bucket } from "./bucket.ts";
import type { Numbers } from "./numbers.ts";
import type { Presence } from "./presence.ts";
import type { Share } from "./share.ts";
import { GUARD_MS, LEASE_MS, MICRO } from "./units.ts";
import { WINDOW_PARTS } from "./window-lua.ts";

/** Of a period, as a gateway's clock may be faster than the store's. */
const LONGER = 1.001;

export interface WindowSharesOptions {
  readonly numbers: Numbers;
  readonly slides: boolean;
  readonly presence: Pick<Presence, "storeTime"> | null;
}

function prune(bucket: Bucket, nowMs: number): readonly number[] {
  const { spends } = bucket;
  if (spends === null) return [];
  let gone = 0;
  while (gone < spends.length && (spends[gone] ?? 0) <= nowMs) gone += 2;
  if (gone > 0) spends.splice(0, gone);
  return spends;
}

function spentOf(bucket: Bucket, nowMs: number): number {
  let sum = 0;
  prune(bucket, nowMs).forEach((value, at) => {
    if (at % 2 === 1) sum += value;
  });
  return sum;
}

/** Milliseconds until so much of what was spent counts no more; null: that is more than all. */
function goneInMs(bucket: Bucket, micro: number, nowMs: number): number | null {
  const spends = prune(bucket, nowMs);
  let missing = micro;
  for (let at = 0; at < spends.length; at += 2) {
    missing -= spends[at + 1] ?? 0;
    if (missing <= 0) return (spends[at] ?? nowMs) - nowMs;
  }
  return null;
}

/**
 * A gateway's own part of a window's limit: no more in any time of the window's length, as the store's windows are not
 * known exactly any more. It begins when nothing that the store lent of that part can be in one window with it: of a
 * fixed window with the next one, of one that slides when what was lent before has left it.
 */
export function createWindowShares({ numbers, slides, presence }: WindowSharesOptions): Shares {
  const { perMs, limit } = numbers;
  const lengthMs = perMs * LONGER;
  const widthMs = perMs / WINDOW_PARTS;

  function mostOf({ part }: Share): number {
    return Math.floor((limit * part) / MICRO);
  }

  function beginOf(sinceMs: number, nowMs: number): number {
    const time = presence?.storeTime(sinceMs) ?? null;
    // The store was never reached: nothing was lent.
    if (time === null) return sinceMs;
    if (slides) return sinceMs + LEASE_MS + GUARD_MS + lengthMs;
    const edge = (Math.floor(time.lateMs / perMs) + 1) * perMs;
    const early = presence?.storeTime(nowMs)?.earlyMs ?? 0;
    return nowMs + (edge - early) * LONGER;
  }

  function available(bucket: Bucket, share: Share, nowMs: number): number {
    if (bucket.levelSince !== share.sinceMs) {
      bucket.levelSince = share.sinceMs;
      bucket.levelAt = beginOf(share.sinceMs, nowMs);
    }
    bucket.level = nowMs < bucket.levelAt ? 0 : Math.max(0, mostOf(share) - spentOf(bucket, nowMs));
    return bucket.level;
  }

  function spend(bucket: Bucket, micro: number, nowMs: number): void {
    if (micro <= 0) return;
    bucket.level -= micro;
    const until = (Math.floor(nowMs / widthMs) + 1) * widthMs + lengthMs;
    bucket.spends ??= [];
    const { spends } = bucket;
    if (spends.at(-2) === until) spends[spends.length - 1] = (spends.at(-1) ?? 0) + micro;
    else spends.push(until, micro);
  }

  return {
    available,
    spend,
    isFull: (bucket, _, nowMs) => prune(bucket, nowMs).length === 0,
    waitMs: (bucket, share, { micro, nowMs }) => {
      if (micro > mostOf(share)) return Number.POSITIVE_INFINITY;
      if (nowMs < bucket.levelAt) return bucket.levelAt - nowMs;
      return goneInMs(bucket, micro - bucket.level, nowMs) ?? lengthMs;
    },
  };
}
