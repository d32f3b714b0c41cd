import { describe, expect, test } from "bun:test";
import { limitKey } from "../../src/limit/key.ts";
import { over, playAll } from "./scenario.ts";
import { admittedShare } from "./worlds.ts";

const storeKeys = () => [limitKey("b", "api", "someone"), "limit:{gateways}"];
/** Sums of fractions are not exact. */
const ROUNDING = 1e-9;

describe("a thousand small worlds", () => {
  test("without faults admit no interval over the bound, and 97 % of what could be admitted", async () => {
    const outcomes = await playAll([0, 300], { hasFaults: false, hasFailover: false }, storeKeys);
    expect(over(outcomes, 1 + ROUNDING)).toEqual([]);
    expect(admittedShare(outcomes)).toBeGreaterThan(0.97);
  });

  test("with crashes, pauses, partitions, lost and late messages admit no interval over the bound", async () => {
    const outcomes = await playAll([1000, 1450], { hasFaults: true, hasFailover: false }, storeKeys);
    expect(over(outcomes, 1 + ROUNDING)).toEqual([]);
  });

  test("with a failover that lost writes admit one burst more, once", async () => {
    const outcomes = await playAll([2000, 2250], { hasFaults: true, hasFailover: true }, storeKeys);
    expect(over(outcomes, 2 + ROUNDING)).toEqual([]);
  });
});
