import { describe, expect, test } from "bun:test";
import type { RoutePriority } from "../../src/config/types.ts";
import { nextLevel, Shedder, type ShedLevel, shedShare } from "../../src/gateway/shedder.ts";

describe("the level", () => {
  test("follows from the share of the threshold that is used", () => {
    expect([0, 0.79, 0.8, 0.89, 0.9, 0.99, 1, 3].map((pressure) => nextLevel(0, pressure))).toEqual([
      0, 0, 1, 1, 2, 2, 3, 3,
    ]);
  });

  test("falls a little below where it began, so that it does not flap", () => {
    const walk = [0.81, 0.79, 0.76, 0.74, 0.79, 0.8];
    let level: ShedLevel = 0;
    const levels = walk.map((pressure) => {
      level = nextLevel(level, pressure);
      return level;
    });
    expect(levels).toEqual([1, 1, 1, 0, 0, 1]);
  });

  test("falls by several steps at once when the pressure is gone", () => {
    expect(nextLevel(3, 0.1)).toBe(0);
    expect([nextLevel(3, 0.96), nextLevel(3, 0.94), nextLevel(3, 0.84)]).toEqual([3, 2, 1]);
  });
});

describe("the share that is shed", () => {
  test("rises from nothing to all within a tenth of the threshold", () => {
    const low = [0.8, 0.85, 0.9, 0.95].map((pressure) => Number(shedShare(1, pressure).toFixed(2)));
    const normal = [0.85, 0.9, 0.95, 1].map((pressure) => Number(shedShare(2, pressure).toFixed(2)));
    expect([low, normal]).toEqual([
      [0, 0.5, 1, 1],
      [0, 0, 0.5, 1],
    ]);
  });

  test("of what is kept to the last is everything at the threshold, and less as it falls", () => {
    expect([1.2, 1, 0.95].map((pressure) => shedShare(3, pressure))).toEqual([1, 1, 0]);
  });
});

describe("shedding", () => {
  const priorities: readonly RoutePriority[] = ["low", "normal", "high"];

  test("takes the least important first, and counts whom it takes and why", () => {
    const shed: string[] = [];
    const shedder = new Shedder(
      () => 0.5,
      (priority, reason) => void shed.push(`${priority} ${reason}`),
    );
    shedder.reason = "lag";
    const table = [0.82, 0.88, 0.97, 1].map((pressure) => {
      shedder.pressure = pressure;
      shedder.level = nextLevel(0, pressure);
      return priorities.filter((priority) => shedder.sheds(priority));
    });
    expect(table).toEqual([[], ["low"], ["low", "normal"], ["low", "normal", "high"]]);
    expect(shed.slice(0, 3)).toEqual(["low lag", "low lag", "normal lag"]);
  });

  test("asks clients to come back after 1 to 3 seconds", () => {
    const chances = [0, 0.4, 0.999];
    const shedder = new Shedder(
      () => chances.shift() ?? 0,
      () => {},
    );
    expect([shedder.retryAfter(), shedder.retryAfter(), shedder.retryAfter()]).toEqual([1, 2, 3]);
  });
});
