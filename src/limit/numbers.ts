import type { LimitAlgorithm, LimitSpec } from "./limit.ts";
import { MICRO, toMicro } from "./units.ts";

const MOST_UNITS = 1_000_000_000;
const LONGEST_MS = 366 * 86_400_000;
/** Shorter ones would be over before a lease of them is here. */
const LEAST_WINDOW_MS = 100;
/** Questions at least, while a bucket fills up or a window passes: what comes back to one that slides is due at once. */
const POLLS: Readonly<Record<LimitAlgorithm, number>> = { token_bucket: 5, fixed_window: 10, sliding_window: 30 };
/** Half of it lasts about until shares may be spent without a lease. */
const RICH_MS = 4000;
const SCARCE_MS = 60;

/** A spec in millionths and milliseconds. */
export interface Numbers {
  readonly limit: number;
  readonly burst: number;
  readonly perMs: number;
  /** Millionths for each millisecond. */
  readonly rate: number;
  /** Demand that a lease is to last for while the store has plenty. */
  readonly richMs: number;
  /** The same while it has little. */
  readonly scarceMs: number;
  /** What the store may lend beyond the demand while it has plenty. */
  readonly minChunk: number;
  readonly maxChunk: number;
  /** What is kept is so many requests' worth: in a window that has nothing left, parts of one are of no use to anybody. */
  readonly keepsWhole: boolean;
  /** Least time between two questions for a key that has nothing. */
  readonly minPollMs: number;
  /** Whether what is asked for once in a while is lent for a moment only. */
  readonly lendsBriefly: boolean;
  readonly maxPollMs: number;
  /** Most time between them where so few units come that each of those who want some gets one in it. */
  readonly turnPollMs: number;
}

function checkUnits(name: string, units: number): void {
  if (units >= 1 / MICRO && units <= MOST_UNITS) return;
  throw new RangeError(`${name} must be from 0.000001 to ${MOST_UNITS}, not ${units}`);
}

/** What is lent of a window that slides comes back late by as much as it is not spent at once. */
function scarceMsOf(algorithm: LimitAlgorithm, perMs: number): number {
  if (algorithm === "token_bucket") return SCARCE_MS;
  if (algorithm === "fixed_window") return Math.max(SCARCE_MS, Math.min(2000, perMs / 30));
  return Math.max(30, Math.min(1000, perMs / 60));
}

/** The numbers of a spec. Throws a RangeError for what is none. */
export function numbersOf({ algorithm, limit, burst, perMs }: LimitSpec): Numbers {
  checkUnits("limit", limit);
  checkUnits("burst", burst);
  if (!Number.isInteger(perMs) || perMs < 1 || perMs > LONGEST_MS) {
    throw new RangeError(`perMs must be a whole number from 1 to ${LONGEST_MS}, not ${perMs}`);
  }
  const isWindow = algorithm !== "token_bucket";
  if (isWindow && burst !== limit)
    throw new RangeError(`burst is the limit where that is one of windows, not ${burst}`);
  if (isWindow && perMs < LEAST_WINDOW_MS) {
    throw new RangeError(`perMs must be at least ${LEAST_WINDOW_MS} for a window, not ${perMs}`);
  }
  const rate = toMicro(limit) / perMs;
  const fullMs = toMicro(burst) / rate;
  return {
    limit: toMicro(limit),
    burst: toMicro(burst),
    perMs,
    rate,
    scarceMs: scarceMsOf(algorithm, perMs),
    richMs: isWindow ? Math.min(RICH_MS, perMs / 4) : RICH_MS,
    minChunk: Math.floor(toMicro(burst) / 50),
    maxChunk: Math.floor(toMicro(burst) / 4),
    keepsWhole: isWindow,
    lendsBriefly: !isWindow,
    minPollMs: Math.max(2, Math.min(20, fullMs / 50)),
    turnPollMs: isWindow ? 0 : Math.min(500, fullMs / 2.5),
    maxPollMs: Math.max(5, Math.min(isWindow ? 2000 : 400, fullMs / POLLS[algorithm])),
  };
}
