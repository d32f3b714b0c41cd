/** Keys that are looked at to make room for another. */
const LOOKED_AT = 16;

/**
 * Takes out the first of a map's keys that may be dropped: the first were added longest ago, and those that must stay go
 * to its end. Null: none of those looked at may be.
 */
export function takeOldest<One>(keys: Map<string, One>, canDrop: (one: One) => boolean): One | null {
  let left = Math.min(LOOKED_AT, keys.size);
  for (const [key, one] of keys) {
    if (left-- === 0) return null;
    keys.delete(key);
    if (canDrop(one)) return one;
    keys.set(key, one);
  }
  return null;
}
