import { describe, expect, test } from "bun:test";
import type { LimitSpec } from "../../src/limit/limit.ts";
import { type House, houseAt } from "./house.ts";

/** In the middle of a minute. */
const START_MS = 1_700_000_010_000;

const FIXED: LimitSpec = {
  name: "api",
  algorithm: "fixed_window",
  limit: 10,
  perMs: 60_000,
  burst: 10,
  onStoreError: "local",
};
const SLIDING: LimitSpec = { ...FIXED, algorithm: "sliding_window" };

const house = () => houseAt(START_MS, FIXED);

/** Uses a limit of ten up, and has more refused for so many seconds, of which the store hears nothing. */
async function refuseAlone({ limits, taken, pass }: House, spec: LimitSpec, seconds: number): Promise<void> {
  await taken(11, spec);
  // By then the store was told what was spent.
  await pass(3000);
  const calls = limits.state().storeCalls;
  for (let second = 0; second < seconds; second++) {
    await pass(1000);
    for (let i = 0; i < 100; i++) expect(limits.limiter(spec).take("key")).toMatchObject({ isAdmitted: false });
  }
  expect(limits.state().storeCalls).toBe(calls);
}

describe("a fixed window", () => {
  test("admits its limit until it ends, and then at once all of the next one", async () => {
    const { taken, pass } = house();
    expect(await taken(15, FIXED)).toBe(10);
    await pass(29_000);
    expect(await taken(3, FIXED)).toBe(0);
    await pass(1001);
    expect(await taken(15, FIXED)).toBe(10);
    await pass(60_000);
    expect(await taken(15, FIXED)).toBe(10);
  });

  test("says what is left and when it ends, admitted or not", async () => {
    const { limits, taken, pass } = house();
    const first = { isAdmitted: true, limit: 10, remaining: 9, resetMs: 30_000, retryAfterMs: 0, mode: "leased" };
    expect(await limits.limiter(FIXED).take("key")).toMatchObject(first);
    await pass(10_000);
    expect(await limits.limiter(FIXED).take("key")).toMatchObject({ remaining: 8, resetMs: 20_000 });
    await taken(10, FIXED);
    const refused = await limits.limiter(FIXED).take("key");
    expect(refused).toMatchObject({ isAdmitted: false, remaining: 0, resetMs: 20_000, retryAfterMs: 20_000 });
  });

  test("asks the store for a refused key no more until it ends", async () => {
    await refuseAlone(house(), FIXED, 26);
  });

  test("takes nothing that was lent before into the next one", async () => {
    const { limits, taken, pass } = house();
    const spec = { ...FIXED, limit: 1000, burst: 1000 };
    await pass(29_000);
    for (let i = 0; i < 20; i++) {
      await taken(5, spec);
      await pass(40);
    }
    const { leased } = limits.state().limiters[0] ?? { leased: 0 };
    expect(leased).toBeGreaterThan(0);
    await pass(201);
    expect(limits.state().limiters[0]?.leased).toBe(0);
    expect(await taken(1100, spec)).toBe(1000);
  });

  test("gives what one gateway does not need to another while it is useful", async () => {
    const { another, limits, taken, pass } = house();
    const two = another();
    const spec = { ...FIXED, limit: 100, burst: 100 };
    for (let i = 0; i < 30; i++) {
      await taken(1, spec, limits);
      await pass(20);
    }
    await pass(5000);
    expect(limits.state().limiters[0]?.leased).toBe(0);
    expect(await taken(100, spec, two)).toBe(70);
  });

  test("is left in debt by what is charged, until it ends", async () => {
    const { limits, taken, pass } = house();
    expect(await taken(1, FIXED)).toBe(1);
    limits.limiter(FIXED).charge("key", 20);
    await pass(1000);
    expect(await taken(5, FIXED)).toBe(0);
    await pass(29_001);
    expect(await taken(15, FIXED)).toBe(10);
  });

  test("has what was refunded again", async () => {
    const { limits, taken } = house();
    const spec = { ...FIXED, limit: 3, burst: 3 };
    const limiter = limits.limiter(spec);
    const verdicts = [await limiter.take("key"), await limiter.take("key"), await limiter.take("key")];
    const last = verdicts.at(-1);
    if (last !== undefined) limiter.refund("key", 1, last);
    expect(await taken(3, spec)).toBe(1);
  });
});

describe("a sliding window", () => {
  test("admits its limit in any time of its length, each unit anew when it has left", async () => {
    const { taken, pass } = house();
    expect(await taken(4, SLIDING)).toBe(4);
    await pass(20_000);
    expect(await taken(9, SLIDING)).toBe(6);
    await pass(39_000);
    expect(await taken(3, SLIDING)).toBe(0);
    // Up to a sixtieth later than the ideal.
    await pass(2000);
    expect(await taken(9, SLIDING)).toBe(4);
    await pass(20_000);
    expect(await taken(9, SLIDING)).toBe(6);
  });

  test("says when to come again, and when all is there again", async () => {
    const { limits, taken, pass } = house();
    expect(await taken(4, SLIDING)).toBe(4);
    await pass(20_000);
    await taken(6, SLIDING);
    const refused = await limits.limiter(SLIDING).take("key");
    expect(refused).toMatchObject({ isAdmitted: false, remaining: 0, mode: "leased" });
    expect(refused.retryAfterMs).toBeGreaterThanOrEqual(40_000);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(41_000);
    expect(refused.resetMs).toBeGreaterThanOrEqual(60_000);
    expect(refused.resetMs).toBeLessThanOrEqual(61_001);
  });

  test("asks the store for a refused key no more until something leaves", async () => {
    const asked = house();
    await refuseAlone(asked, SLIDING, 56);
    await asked.pass(2001);
    expect(await asked.taken(15, SLIDING)).toBe(10);
  });

  test("is left in debt by what is charged, until that has left", async () => {
    const { limits, taken, pass } = house();
    limits.limiter(SLIDING).charge("key", 25);
    await pass(1000);
    expect(await taken(3, SLIDING)).toBe(0);
    await pass(61_001);
    expect(await taken(15, SLIDING)).toBe(10);
  });

  test("counts what a gateway that crashed was lent from the end of the lease on", async () => {
    const { limits, another, taken, pass } = house();
    const spec = { ...SLIDING, limit: 100, burst: 100 };
    for (let i = 0; i < 20; i++) {
      await taken(1, spec);
      await pass(5);
    }
    const { leased } = limits.state().limiters[0] ?? { leased: 0 };
    expect(leased).toBeGreaterThan(0);
    // It is not asked any more, nor does it say anything.
    const two = another();
    expect(await taken(200, spec, two)).toBe(100 - 20 - leased);
  });
});

describe("windows of all kinds", () => {
  test.each([FIXED, SLIDING])("answer a hundred requests of a new key with one call or two", async (given) => {
    const { limits } = house();
    const spec = { ...given, limit: 1000, burst: 1000 };
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => limits.limiter(spec).take("key")));
    expect(verdicts.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(100);
    expect(limits.state().storeCalls).toBeLessThan(4);
  });

  test.each([FIXED, SLIDING])("never admit what costs more than the limit, and say so", (spec) => {
    const { limits } = house();
    const refused = { isAdmitted: false, retryAfterMs: Number.POSITIVE_INFINITY };
    expect(limits.limiter(spec).take("key", 11)).toMatchObject(refused);
  });

  test("of one name and other lengths or kinds do not meet", async () => {
    const { taken } = house();
    for (const spec of [FIXED, SLIDING, { ...FIXED, perMs: 30_000 }, { ...SLIDING, perMs: 30_000 }]) {
      expect(await taken(11, spec)).toBe(10);
    }
  });

  test.each([FIXED, SLIDING])("are no limits with another burst, or shorter than 100 ms", (spec) => {
    const { limits } = house();
    expect(() => limits.limiter({ ...spec, burst: 20 })).toThrow(RangeError);
    expect(() => limits.limiter({ ...spec, perMs: 99 })).toThrow(RangeError);
  });

  test.each([FIXED, SLIDING])("forget keys that rest, in the gateway and in the store", async (given) => {
    const spec = { ...given, perMs: 5000 };
    const { limits, pass } = house();
    for (let key = 0; key < 100; key++) await limits.limiter(spec).take(`key ${key}`);
    expect(limits.state().limiters[0]?.keys).toBe(100);
    await pass(16_000);
    expect(limits.state().limiters[0]).toMatchObject({ keys: 0, leased: 0 });
    await limits.close();
  });
});
