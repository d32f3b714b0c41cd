import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { eventually } from "../support/load.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { load, pairOver, SPEC } from "./pair.ts";

let redis: RedisProcess;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => void (await redis.cli("flushall")));

describe("limits over a real Redis", () => {
  test("let nothing over the bound, and nearly all of it", async () => {
    await using two = await pairOver({ url: redis.url });
    const meter = await load(two, 3000);
    expect(meter.most).toBeLessThanOrEqual(SPEC.burst + 0.5);
    expect(meter.total).toBeGreaterThan(350 * 0.93);
    for (const key of (await redis.cli("keys", "*")).split("\n")) {
      expect([key, Number(await redis.cli("pttl", key)) > 0]).toEqual([key, true]);
    }
  });

  test("take keys that are long, binary or full of braces", async () => {
    await using two = await pairOver({ url: redis.url });
    const limiter = two.limits[0].limiter({ ...SPEC, name: "}{ \u0000\ud800" });
    const keys = ["x".repeat(10_240), "\u0000\ud800", "\u0000\ud801", "{a}", ""];
    for (const key of keys) expect(await limiter.take(key)).toMatchObject({ isAdmitted: true, mode: "leased" });
    expect(two.limits[0].state().limiters[0]?.keys).toBe(5);
  });

  test("know their scripts again after Redis has forgotten them", async () => {
    await using two = await pairOver({ url: redis.url });
    await redis.cli("script", "flush");
    expect(await two.limits[0].limiter(SPEC).take("key")).toMatchObject({ isAdmitted: true, mode: "leased" });
  });

  test("survive a flush with one burst more, once", async () => {
    await using two = await pairOver({ url: redis.url });
    const meter = await load(two, 2500, async () => {
      await Bun.sleep(800);
      await redis.cli("flushall");
    });
    expect(meter.most).toBeLessThanOrEqual(2 * SPEC.burst + 0.5);
    await eventually(() => two.limits.every((one) => one.state().share === 0.5), "shares as before", 5000);
  });

  test("hold through a Redis that stands still, and no request waits for it", async () => {
    await using two = await pairOver({ url: redis.url });
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
    await using two = await pairOver({ url: redis.url });
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
