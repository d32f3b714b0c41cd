/** No name is asked for more often, whatever its TTL. */
export const FLOOR_MS = 1000;
/** No answer is kept for longer, whatever its TTL. */
export const CEILING_MS = 300_000;

const LONGEST_RETRY_MS = 5000;
// Many gateways began to keep an answer at the same instant; they should not all come back at one.
const JITTER_SHARE = 0.1;

/** Time until an answer with that TTL is due again: never before, and up to a tenth after it. */
export function keptMs(ttlSeconds: number, random: () => number): number {
  const ms = Math.min(Math.max(ttlSeconds * 1000, FLOOR_MS), CEILING_MS);
  return ms * (1 + JITTER_SHARE * random());
}

/** Time until a question that got no good answer is asked again; `failures` counts them in a row, from 1. */
export function retryMs(failures: number, random: () => number): number {
  return Math.min(FLOOR_MS * 2 ** (failures - 1), LONGEST_RETRY_MS) * (1 + JITTER_SHARE * random());
}
