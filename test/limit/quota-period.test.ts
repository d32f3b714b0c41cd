import { describe, expect, test } from "bun:test";
import { periodsOf, windowText } from "../../src/limit/quota-period.ts";

describe("periods", () => {
  test.each([
    ["day", "UTC", "2026-03-01T23:59:59.999Z", "2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z"],
    ["day", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"],
    ["day", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"],
    // Clocks go from 23:59:59 to 01:00: the day begins an hour late.
    ["day", "America/Asuncion", "2023-10-01T12:00:00Z", "2023-10-01T04:00:00.000Z", "2023-10-02T03:00:00.000Z"],
    ["day", "Pacific/Kiritimati", "2026-01-01T09:59:59Z", "2025-12-31T10:00:00.000Z", "2026-01-01T10:00:00.000Z"],
    ["week", "UTC", "2026-11-29T23:59:59Z", "2026-11-23T00:00:00.000Z", "2026-11-30T00:00:00.000Z"],
    ["week", "UTC", "2026-11-30T00:00:00Z", "2026-11-30T00:00:00.000Z", "2026-12-07T00:00:00.000Z"],
    ["week", "UTC", "1970-01-01T00:00:00Z", "1969-12-29T00:00:00.000Z", "1970-01-05T00:00:00.000Z"],
    ["month", "UTC", "2024-02-29T12:00:00Z", "2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z"],
    ["month", "America/New_York", "2026-12-31T23:00:00Z", "2026-12-01T05:00:00.000Z", "2027-01-01T05:00:00.000Z"],
    ["month", "America/New_York", "2027-01-01T04:59:59Z", "2026-12-01T05:00:00.000Z", "2027-01-01T05:00:00.000Z"],
  ] as const)("of a %s in %s hold %s from %s to %s", (per, timeZone, at, start, end) => {
    const period = periodsOf({ per, timeZone })?.(Date.parse(at));
    const iso = (ms: number | undefined) => new Date(ms ?? Number.NaN).toISOString();
    expect([iso(period?.startMs), iso(period?.endMs)]).toEqual([start, end]);
  });

  test("follow each other without a gap for two years", () => {
    for (const per of ["day", "week", "month"] as const) {
      const at = periodsOf({ per, timeZone: "Australia/Lord_Howe" });
      let before = at?.(Date.UTC(2025, 0, 1));
      while (before !== undefined && before.endMs < Date.UTC(2027, 0, 1)) {
        const next = at?.(before.endMs);
        expect(next?.startMs).toBe(before.endMs);
        before = next;
      }
    }
  });

  test("are none for a window that rolls, and faults for what is no window", () => {
    expect(periodsOf({ rollingMs: 86_400_000 })).toBeNull();
    expect(() => periodsOf({ rollingMs: 59_999 })).toThrow(RangeError);
    expect(() => periodsOf({ rollingMs: 90_000.5 })).toThrow(RangeError);
    expect(() => periodsOf({ per: "day", timeZone: "Mars/Olympus" })).toThrow(RangeError);
    expect(windowText({ per: "day", timeZone: "UTC" })).not.toBe(windowText({ per: "week", timeZone: "UTC" }));
  });
});
