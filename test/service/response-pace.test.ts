import { describe, expect, test } from "bun:test";
import { createResponsePace } from "../../src/service/response-pace.ts";

function setup() {
  const clock = { ms: 1000 };
  return { clock, pace: createResponsePace(() => clock.ms) };
}

describe("the pace of responses", () => {
  test("is told as shares of them, a tenth too long at the most", () => {
    const { pace } = setup();
    for (let ms = 1; ms <= 1000; ms++) pace.add(ms);
    for (const share of [0.5, 0.9, 0.95, 0.99]) {
      expect(pace.at(share)).toBeGreaterThanOrEqual(share * 1000);
      expect(pace.at(share)).toBeLessThanOrEqual(share * 1000 * 1.1001);
    }
  });

  test.each([
    [0.5, 10],
    [0.95, 20],
    [0.99, 100],
  ])("of %d is not known before there are %d", (share, count) => {
    const { pace, clock } = setup();
    for (let i = 1; i < count; i++) pace.add(5);
    expect(pace.at(share)).toBeNull();
    pace.add(5);
    clock.ms += 100;
    expect(pace.at(share)).toBeWithin(5, 5.51);
  });

  test.each([0.5, 0.75, 0.95, 0.99])("of %d neither rises nor falls by attempts that were given up", (share) => {
    const { pace, clock } = setup();
    for (let ms = 1; ms <= 1000; ms++) pace.add(ms);
    const first = pace.at(share) ?? 0;
    // Of those that come later, the same part as of the first takes longer, and then half of all.
    for (const beyond of [1 - share, 0.5]) {
      for (let i = 1; i <= 1000; i++) pace.add(i > 1000 * (1 - beyond) ? first : (i * first) / 1000);
      clock.ms += 100;
      expect(pace.at(share)).toBe(first);
    }
  });

  test("follows a service that becomes faster or slower, and is forgotten after twenty seconds", () => {
    const { pace, clock } = setup();
    for (let i = 0; i < 100; i++) pace.add(100);
    expect(pace.at(0.9)).toBeWithin(100, 110);
    clock.ms += 10_000;
    for (let i = 0; i < 2000; i++) pace.add(1);
    expect(pace.at(0.9)).toBeWithin(1, 1.2);
    clock.ms += 20_000;
    expect(pace.at(0.9)).toBeNull();
  });

  test("holds times of every length", () => {
    const { pace } = setup();
    for (let i = 0; i < 5; i++) for (const ms of [0, 0.01, 3_600_000, 1e12]) pace.add(ms);
    expect(pace.at(0.5)).toBeWithin(0, 1);
    expect(pace.at(0.95)).toBeGreaterThan(600_000);
  });
});
