import { describe, expect, test } from "bun:test";
import { limitKey } from "../../src/limit/key.ts";
import type { LimitAlgorithm, LimitSpec } from "../../src/limit/limit.ts";
import { over, playAll } from "./scenario.ts";
import { admittedShare } from "./worlds.ts";

function storeKeys({ algorithm, perMs }: LimitSpec): readonly string[] {
  const letter = algorithm === "sliding_window" ? "s" : "f";
  return [limitKey(letter, `api.${perMs}`, "someone"), "limit:{gateways}"];
}

const algorithms: readonly LimitAlgorithm[] = ["fixed_window", "sliding_window"];

describe.each(algorithms)("hundreds of small worlds with a %s", (algorithm) => {
  test("without faults are never over the limit, and admit 97 % of what could be", async () => {
    const outcomes = await playAll([0, 150], { hasFaults: false, hasFailover: false, algorithm }, storeKeys);
    expect(over(outcomes, 1)).toEqual([]);
    expect(admittedShare(outcomes)).toBeGreaterThan(0.97);
  });

  test("with crashes, pauses, partitions, lost and late messages are never over the limit", async () => {
    const outcomes = await playAll([1000, 1300], { hasFaults: true, hasFailover: false, algorithm }, storeKeys);
    expect(over(outcomes, 1)).toEqual([]);
  });

  test("with a failover that lost writes admit one limit more, once", async () => {
    const outcomes = await playAll([2000, 2100], { hasFaults: true, hasFailover: true, algorithm }, storeKeys);
    expect(over(outcomes, 2)).toEqual([]);
  });
});
