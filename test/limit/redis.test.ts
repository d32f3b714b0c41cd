import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { LimitSpec, Limits, Verdict } from "../../src/limit/limit.ts";
import { createLimits } from "../../src/limit/limits.ts";
import { createRedisStore } from "../../src/store/redis.ts";
import type { Store } from "../../src/store/store.ts";
import { eventually } from "../support/load.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { Meter } from "./world.ts";

const SPEC: LimitSpec = {
  name: "api",
  algorithm: "token_bucket",
  limit: 100,
  perMs: 1000,
  burst: 50,
  onStoreError: "local",
};

interface Pair extends AsyncDisposable {
  readonly stores: readonly Store[];
  readonly limits: readonly [Limits, Limits];
}

let redis: RedisProcess;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => void (await redis.cli("flushall")));

/** Two gateways that know of each other. */
async function pair(): Promise<Pair> {
  const stores = [0, 1].map(() => createRedisStore({ config: { url: redis.url } }));
  const make = (index: number) => {
    const store = stores[index];
    if (store === undefined) throw new Error("no store");
    return createLimits({ store, gateway: `g${index}` });
  };
  const limits = [make(0), make(1)] as const;
  await eventually(() => limits.every((one) => one.state().share === 0.5), "two gateways that share", 5000);
  return {
    stores,
    limits,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(limits.map((one) => one.close()));
      await Promise.all(stores.map((store) => store.close()));
    },
  };
}

/** Asks both as fast as so many a second, for so long, and measures; `during` may do harm meanwhile. */
async function load({ limits }: Pair, ms: number, during: () => Promise<unknown> = async () => {}): Promise<Meter> {
  const meter = new Meter(SPEC.limit / SPEC.perMs);
  const startedAt = performance.now();
  const open: Promise<unknown>[] = [during()];
  const note = ({ isAdmitted }: Verdict): void => {
    if (isAdmitted) meter.add(performance.now() - startedAt, 1);
  };
  while (performance.now() - startedAt < ms) {
    for (const one of limits) {
      const verdict = one.limiter(SPEC).take("key");
      if (verdict instanceof Promise) open.push(verdict.then(note));
      else note(verdict);
    }
    await Bun.sleep(3);
  }
  await Promise.all(open);
  return meter;
}

describe("limits over a real Redis", () => {
  test("let nothing over the bound, and nearly all of it", async () => {
    await using two = await pair();
    const meter = await load(two, 3000);
    expect(meter.most).toBeLessThanOrEqual(SPEC.burst + 0.5);
    expect(meter.total).toBeGreaterThan(350 * 0.93);
    for (const key of (await redis.cli("keys", "*")).split("\n")) {
      expect([key, Number(await redis.cli("pttl", key)) > 0]).toEqual([key, true]);
    }
  });

  test("take keys that are long, binary or full of braces", async () => {
    await using two = await pair();
    const limiter = two.limits[0].limiter({ ...SPEC, name: "}{ \u0000\ud800" });
    const keys = ["x".repeat(10_240), "\u0000\ud800", "\u0000\ud801", "{a}", ""];
    for (const key of keys) expect(await limiter.take(key)).toMatchObject({ isAdmitted: true, mode: "leased" });
    expect(two.limits[0].state().limiters[0]?.keys).toBe(5);
  });

  test("know their scripts again after Redis has forgotten them", async () => {
    await using two = await pair();
    await redis.cli("script", "flush");
    expect(await two.limits[0].limiter(SPEC).take("key")).toMatchObject({ isAdmitted: true, mode: "leased" });
  });

  test("survive a flush with one burst more, once", async () => {
    await using two = await pair();
    const meter = await load(two, 2500, async () => {
      await Bun.sleep(800);
      await redis.cli("flushall");
    });
    expect(meter.most).toBeLessThanOrEqual(2 * SPEC.burst + 0.5);
    await eventually(() => two.limits.every((one) => one.state().share === 0.5), "shares as before", 5000);
  });

  test("hold through a Redis that stands still, and no request waits for it", async () => {
    await using two = await pair();
    let longestMs = 0;
    const meter = await load(two, 2500, async () => {
      await Bun.sleep(500);
      await redis.cli("client", "pause", "1000", "all");
      await Bun.sleep(100);
      const startedAt = performance.now();
      await two.limits[0].limiter(SPEC).take("never seen");
      longestMs = performance.now() - startedAt;
    });
    expect(longestMs).toBeLessThan(150);
    expect(meter.most).toBeLessThanOrEqual(SPEC.burst + 0.5);
  });

  test("enforce shares when Redis is killed, and are leased again when it is back", async () => {
    await using two = await pair();
    await load(two, 500);
    await redis.kill();
    await eventually(() => two.limits.every((one) => one.state().mode === "local"), "local mode", 6000);
    const away = await load(two, 2000);
    expect(away.total).toBeGreaterThan(150);
    expect(away.most).toBeLessThanOrEqual(SPEC.burst + 0.5);
    await redis.restart();
    await eventually(() => two.limits.every((one) => one.state().mode === "leased"), "leases", 6000);
    expect((await load(two, 1000)).most).toBeLessThanOrEqual(2 * SPEC.burst + 0.5);
  });
});
