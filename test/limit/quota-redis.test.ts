import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Limits } from "../../src/limit/limit.ts";
import { createLimits } from "../../src/limit/limits.ts";
import type { QuotaSpec } from "../../src/limit/quota.ts";
import { createRedisStore } from "../../src/store/redis.ts";
import { eventually } from "../support/load.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";

const SPEC: QuotaSpec = {
  name: "daily",
  window: { per: "month", timeZone: "Europe/Berlin" },
  limit: 50,
  onStoreError: "deny",
};

let redis: RedisProcess;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => void (await redis.cli("flushall")));

interface Gateway extends AsyncDisposable {
  readonly limits: Limits;
}

function gateway(id: string, wallMs = Date.now): Gateway {
  const store = createRedisStore({ config: { url: redis.url } });
  const limits = createLimits({ store, gateway: id, wallMs });
  return {
    limits,
    [Symbol.asyncDispose]: async () => {
      await limits.close();
      await store.close();
    },
  };
}

async function spend({ limits }: Gateway, count: number, spec = SPEC, cost = 1): Promise<number> {
  let admitted = 0;
  for (let left = count; left > 0; left--) if ((await limits.quota(spec).take("key", cost)).isAdmitted) admitted++;
  return admitted;
}

describe("a quota over a real Redis", () => {
  test("is used by gateways that leave and come, to the last unit", async () => {
    for (const id of ["a", "b", "c"]) {
      await using one = gateway(id);
      await one.limits.opened;
      expect(await spend(one, 15)).toBe(15);
    }
    await using last = gateway("d");
    await last.limits.opened;
    expect(await spend(last, 15)).toBe(5);
    expect(await last.limits.ledger(SPEC).read("key")).toMatchObject({ used: 50, leased: 0, remaining: 0 });
  });

  test("goes by the clock of Redis, however wrong a gateway's is", async () => {
    await using one = gateway("a", () => Date.UTC(1999, 0, 1));
    await using two = gateway("b", () => Date.UTC(2099, 0, 1));
    await Promise.all([one.limits.opened, two.limits.opened]);
    expect((await spend(one, 20)) + (await spend(two, 20))).toBe(40);
    const { resetsAt } = await two.limits.ledger(SPEC).read("key");
    expect(resetsAt).toBeGreaterThan(Date.now());
    expect(resetsAt).toBeLessThan(Date.now() + 32 * 86_400_000);
  });

  test("counts again what its gateway spent in the period when Redis is flushed", async () => {
    await using one = gateway("a");
    await one.limits.opened;
    expect(await spend(one, 30)).toBe(30);
    await redis.cli("flushall");
    expect(await spend(one, 40)).toBeLessThanOrEqual(26);
    const count = await one.limits.ledger(SPEC).read("key");
    expect(count.used + count.leased).toBeGreaterThanOrEqual(44);
  });

  test("keeps keys that are long, binary or full of braces, with fractions of units", async () => {
    await using one = gateway("a");
    await one.limits.opened;
    const quota = one.limits.quota({ ...SPEC, name: "}{ \u0000", limit: 0.5 });
    for (const key of ["x".repeat(10_240), "\u0000\ud800", "\u0000\ud801", "{a}", ""]) {
      expect([(await quota.take(key, 0.5)).isAdmitted, (await quota.take(key, 0.000001)).isAdmitted]).toEqual([
        true,
        false,
      ]);
      expect((await quota.take(key, 0.6)).retryAfterMs).toBe(Number.POSITIVE_INFINITY);
    }
  });

  test("gives back what is refunded, and refuses while a charge is beyond it", async () => {
    await using one = gateway("a");
    await one.limits.opened;
    const quota = one.limits.quota(SPEC);
    const verdict = await quota.take("key", 40);
    quota.refund("key", 40, verdict);
    expect((await quota.take("key", 50)).isAdmitted).toBe(true);
    quota.charge("key", 100);
    await eventually(async () => (await one.limits.ledger(SPEC).read("key")).used === 150, "the charge to be told");
    expect((await quota.take("key", 1)).isAdmitted).toBe(false);
    const ledger = one.limits.ledger(SPEC);
    expect((await ledger.change("key", { used: 10 }, 149)).isDone).toBe(false);
    expect(await ledger.change("key", { used: 10 }, 150)).toMatchObject({ isDone: true, after: { used: 10 } });
    expect(await ledger.change("key", { add: -99 }, null)).toMatchObject({ before: { used: 10 }, after: { used: 0 } });
  });
});
