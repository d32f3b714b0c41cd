// Powers of two, so that a hash is cut to size by a mask.
const FIRST_SIZE = 64;

/** Numbers given to keys in order of arrival, without an object for each: 0 for the first, then 1, … */
export interface SeriesIndex {
  /** The row of a key, made on first use. Keys are integers from 0 to 2^31 - 1. */
  rowOf(key: number): number;
  has(key: number): boolean;
  /** The key of a row that exists. */
  keyAt(row: number): number;
  readonly size: number;
}

function slotOf(key: number, mask: number): number {
  // Fibonacci hashing: keys differ in their low bits mostly by status.
  return (Math.imul(key, 0x9e3779b1) >>> 7) & mask;
}

/** An open-addressed table of integers; a look-up of a known key allocates nothing. It never shrinks. */
export function createSeriesIndex(): SeriesIndex {
  let table = new Int32Array(FIRST_SIZE * 2);
  let keys = new Int32Array(FIRST_SIZE);
  let mask = table.length - 1;
  let size = 0;

  function find(key: number): number {
    let at = slotOf(key, mask);
    for (let row = table[at] ?? 0; row !== 0; row = table[at] ?? 0) {
      if (keys[row - 1] === key) return at;
      at = (at + 1) & mask;
    }
    return at;
  }

  function grow(): void {
    const old = keys;
    keys = new Int32Array(old.length * 2);
    keys.set(old);
    table = new Int32Array(keys.length * 2);
    mask = table.length - 1;
    for (let row = 0; row < size; row++) table[find(keys[row] ?? 0)] = row + 1;
  }

  function insert(key: number): number {
    if (size === keys.length) grow();
    keys[size] = key;
    table[find(key)] = ++size;
    return size - 1;
  }

  return {
    rowOf: (key) => {
      const row = table[find(key)] ?? 0;
      return row === 0 ? insert(key) : row - 1;
    },
    has: (key) => table[find(key)] !== 0,
    keyAt: (row) => keys[row] ?? 0,
    get size() {
      return size;
    },
  };
}
