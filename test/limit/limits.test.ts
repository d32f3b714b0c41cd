import { describe, expect, test } from "bun:test";
import type { LimitSpec, Verdict } from "../../src/limit/limit.ts";
import type { LimitsOptions } from "../../src/limit/limits.ts";
import { houseAt } from "./house.ts";

const SPEC: LimitSpec = {
  name: "api",
  algorithm: "token_bucket",
  limit: 60,
  perMs: 60_000,
  burst: 10,
  onStoreError: "local",
};

const house = (options?: Partial<LimitsOptions>) => houseAt(1_700_000_000_000, SPEC, options);

describe("a token bucket", () => {
  test("admits its burst, refuses the next, and one more for each that has come in", async () => {
    const { taken, pass } = house();
    expect(await taken(15)).toBe(10);
    await pass(1001);
    expect(await taken(5)).toBe(1);
    await pass(5001);
    expect(await taken(9)).toBe(5);
  });

  test("says what is left, when it is full again, and when to come again", async () => {
    const { limits, taken } = house();
    expect(await limits.limiter(SPEC).take("key")).toEqual({
      isAdmitted: true,
      limit: 60,
      remaining: 9,
      resetMs: 1000,
      retryAfterMs: 0,
      mode: "leased",
      lease: expect.any(String),
      report: expect.any(Number),
    });
    await taken(9);
    const refused = await limits.limiter(SPEC).take("key");
    expect(refused).toMatchObject({ isAdmitted: false, remaining: 0, retryAfterMs: 1000, mode: "leased" });
  });

  test("asks the store for a refused key no more until the time that it named", async () => {
    const { limits, taken, pass } = house();
    await taken(11);
    await pass(600);
    const calls = limits.state().storeCalls;
    for (let i = 0; i < 1000; i++) expect(limits.limiter(SPEC).take("key")).toMatchObject({ isAdmitted: false });
    expect(limits.state().storeCalls).toBe(calls);
  });

  test("asks once for each request of a key that comes once in a while, and has nothing to report", async () => {
    const { limits, pass } = house();
    const spec = { ...SPEC, limit: 10, perMs: 1000 };
    for (let i = 0; i < 5; i++) {
      expect(await limits.limiter(spec).take("key")).toMatchObject({ isAdmitted: true });
      await pass(1900);
    }
    expect(limits.state().storeCalls).toBe(5);
    await limits.limiter(spec).take("key");
    await pass(400);
    expect(await limits.limiter(spec).take("key")).toMatchObject({ isAdmitted: true, remaining: 9 });
  });

  test("answers a hundred requests of a new key with one call or two", async () => {
    const { limits } = house();
    const spec = { ...SPEC, burst: 1000 };
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => limits.limiter(spec).take("key")));
    expect(verdicts.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(100);
    expect(limits.state().storeCalls).toBeLessThan(4);
  });

  test("keeps keys and names apart", async () => {
    const { limits } = house();
    const spec = { ...SPEC, burst: 1 };
    const take = async (name: string, key: string) => (await limits.limiter({ ...spec, name }).take(key)).isAdmitted;
    expect([await take("a", "b"), await take("a", "c"), await take("b", "b"), await take("a", "b")]).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });
});

describe("a cost", () => {
  test("may be a fraction, to the millionth", async () => {
    const { limits } = house();
    const limiter = limits.limiter({ ...SPEC, burst: 1 });
    const costs = [0.25, 0.5, 0.249_999, 0.000_001, 0.000_001];
    const admitted: boolean[] = [];
    for (const cost of costs) admitted.push((await limiter.take("key", cost)).isAdmitted);
    expect(admitted).toEqual([true, true, true, true, false]);
  });

  test("above the burst is never admitted, and says so", async () => {
    const { limits } = house();
    const refused = { isAdmitted: false, retryAfterMs: Number.POSITIVE_INFINITY };
    expect(limits.limiter(SPEC).take("key", 11)).toMatchObject(refused);
    expect(limits.limiter(SPEC).take("key", Number.POSITIVE_INFINITY)).toMatchObject(refused);
  });

  test("of nothing passes while nothing is owed, and one that is no number is one unit", async () => {
    const { limits, taken } = house();
    for (const cost of [Number.NaN, -5]) await limits.limiter(SPEC).take("key", cost);
    expect(await taken(10)).toBe(8);
    expect(await limits.limiter(SPEC).take("key", 0)).toMatchObject({ isAdmitted: true });
  });

  test("known only later may leave a debt, which refuses until it is paid", async () => {
    const { limits, taken, pass } = house();
    limits.limiter(SPEC).charge("key", 15);
    await pass(500);
    expect(await taken(3)).toBe(0);
    await pass(5000);
    expect(await taken(3)).toBe(0);
    await pass(1600);
    expect(await taken(3)).toBe(1);
  });

  test("that was not used is given back", async () => {
    const { limits, taken } = house();
    const limiter = limits.limiter({ ...SPEC, burst: 100 });
    for (let i = 0; i < 1000; i++) {
      const verdict = await limiter.take("key");
      if (verdict.isAdmitted) limiter.refund("key", 1, verdict);
      else limiter.refund("no such key", 5, verdict);
    }
    expect(await taken(100, { ...SPEC, burst: 100 })).toBeGreaterThan(95);
  });
});

describe("limits of several processes", () => {
  test("share one burst", async () => {
    const { limits, another, taken } = house();
    const other = another();
    const spec = { ...SPEC, burst: 40 };
    const verdicts: Verdict[] = [];
    for (let i = 0; i < 60; i++) verdicts.push(await (i % 2 ? limits : other).limiter(spec).take("key"));
    const admitted = verdicts.filter(({ isAdmitted }) => isAdmitted).length;
    expect(admitted).toBeLessThanOrEqual(40);
    expect(admitted).toBeGreaterThan(36);
    expect(await taken(5, spec)).toBeLessThan(5);
  });

  test("have what another handed back when it closed", async () => {
    const { another, taken } = house();
    const other = another();
    const spec = { ...SPEC, burst: 100 };
    expect(await taken(1, spec, other)).toBe(1);
    await other.close();
    expect(await taken(120, spec)).toBe(99);
  });

  test("that differ in their numbers hold the lower ones, as long as both ask", async () => {
    const { another, taken } = house();
    const other = another();
    expect(await taken(4, { ...SPEC, burst: 4 })).toBe(4);
    expect(await taken(10, SPEC, other)).toBe(0);
  });

  test("take a lower limit at once, and a higher one when nobody asks by the lower", async () => {
    const { taken, pass } = house();
    expect(await taken(2)).toBe(2);
    expect(await taken(10, { ...SPEC, burst: 5 })).toBeLessThanOrEqual(5);
    await pass(120_000);
    await taken(1);
    await pass(120_000);
    expect(await taken(20)).toBe(10);
  });
});

describe("keys that are held", () => {
  test("are dropped when nobody asks, with their leases returned", async () => {
    const { limits, pass, taken, another } = house();
    const spec = { ...SPEC, limit: 1, perMs: 3_600_000, burst: 100 };
    await taken(1, spec);
    expect(limits.state().limiters[0]).toMatchObject({ keys: 1, admitted: 1 });
    await pass(5000);
    expect(limits.state().limiters[0]).toMatchObject({ keys: 0, leased: 0 });
    expect(await taken(120, spec, another())).toBe(99);
  });

  test("are never more than allowed: the one that was added longest ago makes room, and loses nothing", async () => {
    const { limits, taken } = house({ maxKeys: 50 });
    expect(await taken(12)).toBe(10);
    for (let i = 0; i < 500; i++) {
      expect(await limits.limiter(SPEC).take(`k${i}`)).toMatchObject({ isAdmitted: true });
    }
    expect(limits.state().limiters[0]?.keys).toBe(50);
    expect(await taken(3)).toBe(0);
  });
});

test("a closed one decides as if the store were away", async () => {
  const { limits, store, taken } = house();
  await taken(1);
  await limits.close();
  expect(await limits.limiter(SPEC).take("key")).toMatchObject({ isAdmitted: false });
  expect(limits.state().limiters[0]?.leased).toBe(0);
  await store.close();
  expect(await limits.limiter({ ...SPEC, onStoreError: "allow" }).take("x")).toMatchObject({ mode: "allowed" });
  expect(await limits.limiter({ ...SPEC, onStoreError: "deny" }).take("y")).toMatchObject({ mode: "denied" });
});

describe("numbers that are none of a limit", () => {
  const rows = [
    { limit: 0 },
    { limit: -1 },
    { limit: Number.NaN },
    { limit: 1e10 },
    { limit: 0.000_000_1 },
    { perMs: 0 },
    { perMs: 0.5 },
    { perMs: Number.POSITIVE_INFINITY },
    { burst: 0 },
    { burst: -3 },
    { burst: 1e12 },
  ];
  test.each(rows)("are refused: %p", (part) => {
    const { limits } = house();
    expect(() => limits.limiter({ ...SPEC, ...part })).toThrow(RangeError);
  });
});
