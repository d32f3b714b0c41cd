import { describe, expect, test } from "bun:test";
import { admissible, judge, worstExcess } from "../../bench/limits/judge.ts";

const BOUND = { burst: 3, perMs: 0.01 };

/** Looks at every interval. */
function slowExcess(times: Float64Array, { burst, perMs }: typeof BOUND): number {
  let worst = 0;
  for (let first = 0; first < times.length; first++) {
    for (let last = first; last < times.length; last++) {
      worst = Math.max(worst, last - first + 1 - perMs * ((times[last] ?? 0) - (times[first] ?? 0)));
    }
  }
  return worst - burst;
}

/** The same numbers from 0 to 1 at every run. */
function* numbers(): Generator<number, never> {
  for (let state = 1; ; ) {
    state = (state * 16_807) % 2_147_483_647;
    yield state / 2_147_483_647;
  }
}

describe("the judge of limits", () => {
  test("finds what every interval in turn finds", () => {
    const random = numbers();
    for (let round = 0; round < 200; round++) {
      const count = Math.floor(random.next().value * 40);
      const times = Float64Array.from({ length: count }, () => random.next().value * 2000).sort();
      expect(worstExcess(times, BOUND)).toBeCloseTo(slowExcess(times, BOUND), 9);
    }
  });

  test("finds one request too many in the midst of a long silence", () => {
    expect(worstExcess(Float64Array.of(0, 50_000, 50_000, 50_000, 50_000, 90_000), BOUND)).toBe(1);
    expect(worstExcess(Float64Array.of(0, 50_000, 50_000, 50_000, 50_100, 90_000), BOUND)).toBe(0);
  });

  test("has nothing over where nothing was admitted", () => {
    expect(worstExcess(new Float64Array(), BOUND)).toBe(-3);
  });

  test("admits in full what a single bucket would admit", () => {
    expect(admissible(Float64Array.of(0, 0, 0, 0, 99, 100, 101), BOUND)).toBe(4);
    expect(admissible(Float64Array.of(0, 0, 0, 0, 100), BOUND, { fromAt: 50, toAt: 200 })).toBe(1);
  });

  test("goes by the worst key, and counts all", () => {
    const calm = { cameAt: Float64Array.of(0, 10), admittedAt: Float64Array.of(0, 10) };
    const wild = { cameAt: Float64Array.of(0, 0, 0, 0, 0), admittedAt: Float64Array.of(0, 0, 0, 0, 0) };
    expect(judge([calm, wild], BOUND)).toEqual({ offered: 7, admitted: 7, admissible: 5, worstExcess: 2 });
  });
});
