import { describe, expect, test } from "bun:test";
import type { LimitSpec } from "../../src/limit/limit.ts";
import { houseAt } from "./house.ts";

const SPEC: LimitSpec = {
  name: "api",
  algorithm: "token_bucket",
  limit: 10,
  perMs: 1000,
  burst: 10,
  onStoreError: "local",
};
const START_AT = 1_700_000_000_000;

describe("what was not used after all", () => {
  test("is not given back once the store was told that it is spent, as it has flowed back there", async () => {
    const { limits, pass, taken } = houseAt(START_AT, SPEC);
    const limiter = limits.limiter(SPEC);
    const old = await limiter.take("key", 10);
    await pass(2000);
    expect(await taken(10)).toBe(10);
    limiter.refund("key", 10, old);
    expect(await taken(10)).toBe(0);
  });

  test("is not given back of what another key, or another limit, paid", async () => {
    const { limits, taken } = houseAt(START_AT, SPEC);
    const limiter = limits.limiter(SPEC);
    const other = await limiter.take("another key", 5);
    expect(await taken(10)).toBe(10);
    limiter.refund("key", 5, other);
    expect(await taken(5)).toBe(0);
  });
});

describe("a cost that is known only later", () => {
  test("owes a thousand bursts at most, whatever it says", async () => {
    const { limits, pass, taken } = houseAt(START_AT, SPEC);
    limits.limiter(SPEC).charge("key", 1e9);
    await pass(500_000);
    expect(await taken(1)).toBe(0);
    await pass(600_000);
    expect(await taken(1)).toBe(1);
  });
});
