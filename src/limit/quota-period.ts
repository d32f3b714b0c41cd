import type { QuotaWindow } from "./quota.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const LEAST_ROLLING_MS = 60_000;
const LONGEST_ROLLING_MS = 366 * DAY_MS;

/** A period by the store's clock, in milliseconds since 1970: from its start to before its end. */
export interface Period {
  readonly startMs: number;
  readonly endMs: number;
}

/** The period that an instant is in; null for a rolling window, which has none. */
export type PeriodAt = ((atMs: number) => Period) | null;

/** Finds the periods of a window. Throws a RangeError for a time zone that is none, and for lengths out of range. */
export function periodsOf(window: QuotaWindow): PeriodAt {
  if ("rollingMs" in window) {
    const { rollingMs } = window;
    if (Number.isInteger(rollingMs) && rollingMs >= LEAST_ROLLING_MS && rollingMs <= LONGEST_ROLLING_MS) return null;
    throw new RangeError(
      `a rolling window must last from ${LEAST_ROLLING_MS} to ${LONGEST_ROLLING_MS} ms, not ${rollingMs}`,
    );
  }
  const dayOf = dayReader(window.timeZone);
  let last: Period | null = null;
  return (atMs) => {
    if (last === null || atMs < last.startMs || atMs >= last.endMs) last = periodAround(atMs, window.per, dayOf);
    return last;
  };
}

/** A window in words that are equal for equal windows. */
export function windowText(window: QuotaWindow): string {
  return "rollingMs" in window ? `rolling ${window.rollingMs}` : `${window.per} ${window.timeZone}`;
}

/** Days since 1970 in some zone. */
type DayOf = (atMs: number) => number;

function dayReader(timeZone: string): DayOf {
  if (timeZone === "UTC") return (atMs) => Math.floor(atMs / DAY_MS);
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    year: "numeric",
    month: "numeric",
    day: "numeric",
  });
  return (atMs) => {
    const parts = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
    const [year = 1970, month = 1, day = 1] = [parts.get("year"), parts.get("month"), parts.get("day")];
    return Date.UTC(year, month - 1, day) / DAY_MS;
  };
}

/** The first instant of a day: where clocks are changed at midnight, it is not at 00:00. */
function startOf(day: number, dayOf: DayOf): number {
  let [before, after] = [day * DAY_MS - 36 * HOUR_MS, day * DAY_MS + 36 * HOUR_MS];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (dayOf(middle) >= day) after = middle;
    else before = middle;
  }
  return after;
}

function periodAround(atMs: number, per: "day" | "week" | "month", dayOf: DayOf): Period {
  const [first, next] = daysAround(dayOf(atMs), per);
  return { startMs: startOf(first, dayOf), endMs: startOf(next, dayOf) };
}

/** The first day of the period, and the first of the next one. */
function daysAround(day: number, per: "day" | "week" | "month"): readonly [number, number] {
  if (per === "day") return [day, day + 1];
  if (per === "week") {
    // 1970 began on a Thursday.
    const monday = day - ((((day + 3) % 7) + 7) % 7);
    return [monday, monday + 7];
  }
  const date = new Date(day * DAY_MS);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return [Date.UTC(year, month, 1) / DAY_MS, Date.UTC(year, month + 1, 1) / DAY_MS];
}
