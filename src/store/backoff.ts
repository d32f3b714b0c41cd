const FIRST_MS = 50;
const LONGEST_MS = 2000;

/**
 * Milliseconds to wait before the attempt of that number, from 1 on: twice as long each time up to two seconds, and of
 * that between half and all, so that many gateways do not come back in one moment. `random` gives 0 to 1.
 */
export function backoffMs(attempt: number, random: () => number): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 16));
  return Math.round(longest * (0.5 + random() / 2));
}
