import { Bucket } from "./bucket.ts";
import { takeOldest } from "./oldest.ts";

export interface BucketsOptions {
  readonly storeKey: (key: string) => string;
  readonly burst: number;
  /** Room for one more key; false: all limiters together hold as many as they may. */
  readonly hasRoom: () => boolean;
  readonly nextField: () => string;
  /** Whether nothing is lost if that bucket is dropped after what it holds was given back. */
  readonly canDrop: (bucket: Bucket, nowMs: number) => boolean;
  /** Gives back what a bucket holds; it is no longer held here. */
  readonly dropped: (bucket: Bucket, nowMs: number) => void;
}

/** The keys of one limiter that are held here. */
export interface Buckets {
  readonly map: ReadonlyMap<string, Bucket>;
  /** A new bucket, or null when there is no room and none can be made. */
  add(key: string, nowMs: number): Bucket | null;
  remove(bucket: Bucket): void;
}

/** Makes the buckets of a limiter. */
export function createBuckets(options: BucketsOptions): Buckets {
  const map = new Map<string, Bucket>();

  function remove(bucket: Bucket): void {
    bucket.isDropped = true;
    map.delete(bucket.key);
  }

  function makeRoom(nowMs: number): boolean {
    const bucket = takeOldest(map, (one) => options.canDrop(one, nowMs));
    if (bucket === null) return false;
    bucket.isDropped = true;
    options.dropped(bucket, nowMs);
    return true;
  }

  return {
    map,
    remove,
    add: (key, nowMs) => {
      if (!options.hasRoom() && !makeRoom(nowMs)) return null;
      const made = { field: options.nextField(), burst: options.burst, nowMs };
      const bucket = new Bucket(key, options.storeKey(key), made);
      map.set(key, bucket);
      return bucket;
    },
  };
}
