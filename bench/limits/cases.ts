import type { LimitSpec } from "../../src/limit/limit.ts";
import type { Demand } from "./job.ts";

/** Gateways of every case. */
export const GATEWAYS = 4;

/** How the demand spreads over the gateways. */
export type Pattern = "even" | "skewed" | "bursting";

export interface Case {
  readonly limit: number;
  readonly burst: number;
  readonly pattern: Pattern;
  readonly keys: number;
  /** Of all gateways for each key, per second, on the average. */
  readonly demand: number;
}

/** Parts of the whole demand. */
const SPLITS: Readonly<Record<Pattern, readonly number[]>> = {
  even: [0.25, 0.25, 0.25, 0.25],
  skewed: [0.8, 0.14, 0.05, 0.01],
  bursting: [0.25, 0.25, 0.25, 0.25],
};

/** The demand of each gateway. Bursting ones ask twice as much for a second and rest for one, two against two. */
export function demandsOf({ pattern, keys, demand }: Case): readonly Demand[] {
  return SPLITS[pattern].map((part, number) => {
    const perSecond = demand * keys * part;
    if (pattern !== "bursting") return { perSecond, askMs: 1000, restMs: 0, shiftMs: 0 };
    return { perSecond: perSecond * 2, askMs: 1000, restMs: 1000, shiftMs: number % 2 === 0 ? 0 : 1000 };
  });
}

/** A name that no case before had: what stands in Redis of those is of no account. */
export function specOf({ limit, burst }: Pick<Case, "limit" | "burst">): LimitSpec {
  return { name: crypto.randomUUID(), algorithm: "token_bucket", limit, perMs: 1000, burst, onStoreError: "local" };
}

/** One key each. Far more is asked for than there is, as far as a script for each request can be asked at all. */
const LIMITS: readonly Pick<Case, "limit" | "burst" | "demand">[] = [
  { limit: 10, burst: 10, demand: 400 },
  { limit: 50, burst: 50, demand: 1000 },
  { limit: 1000, burst: 1000, demand: 4000 },
  { limit: 50_000, burst: 50_000, demand: 65_000 },
];

/** Small bursts keep loans small: that is where leases are hardest. */
const SMALL_BURSTS: readonly Case[] = [
  { limit: 10, burst: 3, pattern: "even", keys: 1, demand: 400 },
  { limit: 50, burst: 10, pattern: "skewed", keys: 1, demand: 1000 },
  { limit: 1000, burst: 100, pattern: "bursting", keys: 1, demand: 4000 },
  { limit: 50_000, burst: 5000, pattern: "even", keys: 1, demand: 65_000 },
];

const MANY_KEYS: readonly Case[] = [
  { limit: 10, burst: 10, pattern: "even", keys: 100, demand: 80 },
  { limit: 50, burst: 50, pattern: "skewed", keys: 100, demand: 150 },
  { limit: 1000, burst: 1000, pattern: "bursting", keys: 10, demand: 2000 },
];

/** All that is asked for can be had. */
const ENOUGH: readonly Case[] = [
  { limit: 50, burst: 50, pattern: "even", keys: 100, demand: 30 },
  { limit: 1000, burst: 1000, pattern: "skewed", keys: 1, demand: 600 },
];

/** All cases of the table. */
export function allCases(): readonly Case[] {
  const patterns: readonly Pattern[] = ["even", "skewed", "bursting"];
  const alone = LIMITS.flatMap((one) => patterns.map((pattern) => ({ ...one, pattern, keys: 1 })));
  return [...alone, ...SMALL_BURSTS, ...MANY_KEYS, ...ENOUGH];
}

/** What `--only` chooses by. */
export function nameOf({ limit, burst, pattern, keys }: Case): string {
  return `${limit}/s burst ${burst} ${pattern} ${keys === 1 ? "1 key" : `${keys} keys`}`;
}
