import { describe, expect, test } from "bun:test";
import { createSplit } from "../../src/traffic/split.ts";
import { seededRandom } from "../support/chance.ts";

const PICKS = 100_000;

function counts(weights: readonly number[]): readonly number[] {
  const split = createSplit(
    weights.map((weight) => ({ weight })),
    seededRandom(42),
  );
  const taken = weights.map(() => 0);
  for (let i = 0; i < PICKS; i++) {
    const picked = split.pick();
    if (picked !== null) taken[picked] = (taken[picked] ?? 0) + 1;
  }
  return taken;
}

function never(): number {
  throw new Error("nobody had to choose");
}

describe("a split", () => {
  test("gives each backend its share", () => {
    for (const weights of [
      [95, 5],
      [1, 1, 1],
      [1, 2, 3, 4],
      [999, 1],
      [0.5, 1.5],
    ]) {
      const sum = weights.reduce((a, b) => a + b, 0);
      for (const [i, taken] of counts(weights).entries()) {
        expect(Math.abs(taken / PICKS - (weights[i] ?? 0) / sum)).toBeLessThan(0.01);
      }
    }
  });

  test("gives nothing to a weight of 0", () => {
    const taken = counts([0, 1, 0, 1, 0]);
    expect([taken[0], taken[2], taken[4]]).toEqual([0, 0, 0]);
    expect((taken[1] ?? 0) + (taken[3] ?? 0)).toBe(PICKS);
  });

  test("picks none when there is no backend or no weight", () => {
    expect(createSplit([], never).pick()).toBeNull();
    expect(createSplit([{ weight: 0 }, { weight: 0 }], never).pick()).toBeNull();
  });

  test("asks for no chance when one backend is left", () => {
    expect(createSplit([{ weight: 7 }], never).pick()).toBe(0);
    expect(createSplit([{ weight: 0 }, { weight: 3 }, { weight: 0 }], never).pick()).toBe(1);
  });

  test("never falls off the end", () => {
    const nearly = createSplit([{ weight: 0.1 }, { weight: 0.2 }, { weight: 0 }], () => 1 - Number.EPSILON / 2);
    expect(nearly.pick()).toBe(1);
    expect(createSplit([{ weight: 1 }, { weight: 1 }], () => 0).pick()).toBe(0);
  });
});
