/** Random choices that are the same for the same seed. */
export interface Random {
  /** A whole number from 0 up to, but not including, the bound. */
  below(bound: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** Mulberry32: small, good enough to choose test cases, and repeatable. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (bound: number) => next() % bound;
  return { below, pick: (items) => items[below(items.length)] ?? items[0] };
}

const PIECES = [
  "\r\n",
  "\n",
  "\r",
  " ",
  "\t",
  ":",
  "\0",
  "\x0b",
  "\xff",
  ",",
  ";",
  "0",
  "5",
  "\r\n\r\n",
  "Content-Length: 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Host: b\r\n",
  "HTTP/1.1",
  "%2f",
  "../",
  "chunked",
  "Connection: close\r\n",
  "Expect: 100-continue\r\n",
  "0\r\n\r\n",
] as const;

function mutateOnce(bytes: string, random: Random): string {
  const at = random.below(bytes.length + 1);
  const until = Math.min(bytes.length, at + 1 + random.below(8));
  switch (random.below(5)) {
    case 0:
      return bytes.slice(0, at) + random.pick(PIECES) + bytes.slice(at);
    case 1:
      return bytes.slice(0, at) + bytes.slice(until);
    case 2:
      return bytes.slice(0, at) + String.fromCharCode(random.below(256)) + bytes.slice(at + 1);
    case 3:
      return bytes.slice(0, until) + bytes.slice(at);
    default:
      return bytes.slice(0, at) + random.pick(PIECES) + bytes.slice(until);
  }
}

/** The bytes with one to three random faults. */
export function mutate(bytes: string, random: Random): string {
  let result = bytes;
  for (let left = 1 + random.below(3); left > 0; left--) result = mutateOnce(result, random);
  return result;
}

/** Up to five offsets at which to cut, in order. */
export function cuts(length: number, random: Random): readonly number[] {
  const offsets = Array.from({ length: 1 + random.below(5) }, () => random.below(length + 1));
  return [...new Set(offsets)].sort((a, b) => a - b);
}
