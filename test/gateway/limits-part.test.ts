import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createLimitsPart, type LimitsPart } from "../../src/gateway/limits-part.ts";
import type { LimitSpec } from "../../src/limit/limit.ts";
import type { RedisTarget } from "../../src/store/redis-target.ts";
import { createMetrics, type Metrics } from "../../src/telemetry/metrics.ts";
import { eventually } from "../support/load.ts";
import { startRedis } from "../support/redis.ts";
import { startGateway } from "../support.ts";

setDefaultTimeout(60_000);

const SPEC: LimitSpec = {
  name: "api",
  algorithm: "token_bucket",
  limit: 10,
  perMs: 3_600_000,
  burst: 10,
  onStoreError: "local",
};

interface Made extends AsyncDisposable {
  readonly part: LimitsPart;
  readonly metrics: Metrics;
  readonly said: readonly string[];
}

function make(): Made {
  const metrics = createMetrics({ version: "test" });
  const said: string[] = [];
  const log = {
    info: (_: object, text: string) => said.push(text),
    warn: (_: object, text: string) => said.push(text),
  };
  // Of pino's signatures only the one that is used.
  const part = createLimitsPart({ metrics, log: log as never, seat: 0 });
  return { part, metrics, said, [Symbol.asyncDispose]: () => part.close() };
}

const EMBEDDED = { redis: null, listeners: [], workers: 1 };

/** The target of a Redis, as a configuration has it. */
async function targetOf(url: string): Promise<RedisTarget> {
  await using gateway = await startGateway({ torii: { redis: url }, routes: {} });
  const redis = gateway.gateway.snapshot()?.config.redis ?? null;
  if (redis === null) throw new Error("the configuration lost its redis");
  return redis;
}

describe("the limits of a process", () => {
  test("are opened for the first limiter, not before", async () => {
    await using made = make();
    const loan = made.part.lend(EMBEDDED);
    expect(made.part.view()).toBeNull();
    expect(await made.metrics.render()).not.toContain("torii_limits_mode{");
    loan.limits.limiter(SPEC);
    expect(made.part.view()).toMatchObject({ kind: "embedded", mode: "leased", gateways: 1, share: 1 });
    expect(await made.metrics.render()).toContain('torii_limits_mode{mode="leased"} 1');
  });

  test("outlive a configuration as long as the next one uses them, and no longer", async () => {
    await using made = make();
    const first = made.part.lend(EMBEDDED);
    await first.limits.limiter(SPEC).take("a", 10);
    const second = made.part.lend(EMBEDDED);
    const limiter = second.limits.limiter(SPEC);
    first.release();
    expect((await limiter.take("a")).isAdmitted).toBe(false);
    second.release();
    expect(made.part.view()).toBeNull();
    const third = made.part.lend(EMBEDDED);
    expect((await third.limits.limiter(SPEC).take("a")).isAdmitted).toBe(true);
  });

  test("are told of each that a configuration uses, asked or not, and forgotten with the last that did", async () => {
    await using made = make();
    const names = () => made.part.view()?.limits.map(({ name }) => name);
    const first = made.part.lend(EMBEDDED);
    for (const name of ["a", "b", "c"]) first.limits.limiter({ ...SPEC, name });
    expect(names()).toEqual(["a", "b", "c"]);
    await first.limits.limiter({ ...SPEC, name: "a" }).take("x");
    expect(made.part.view()?.limits[0]).toMatchObject({ name: "a", keys: 1, admitted: 1 });
    const second = made.part.lend(EMBEDDED);
    for (const name of ["b", "d"]) second.limits.limiter({ ...SPEC, name });
    first.release();
    // What holds keys stays until they are given back.
    expect(names()).toEqual(["a", "b", "d"]);
  });

  test("are not kept by a configuration that has none", async () => {
    await using made = make();
    const first = made.part.lend(EMBEDDED);
    first.limits.limiter(SPEC);
    const none = made.part.lend(EMBEDDED);
    first.release();
    expect(made.part.view()).toBeNull();
    none.release();
    expect(made.part.view()).toBeNull();
  });

  test("count decisions by limit, outcome and mode, within bounds", async () => {
    await using made = make();
    const { limits } = made.part.lend(EMBEDDED);
    const count = limits.counter("api");
    for (let at = 0; at < 3; at++) count("admitted", "leased");
    count("refused", "local");
    const text = await made.metrics.render();
    expect(text).toContain('torii_rate_limit_decisions_total{limit="api",outcome="admitted",mode="leased"} 3');
    expect(text).toContain('torii_rate_limit_decisions_total{limit="api",outcome="refused",mode="local"} 1');
  });

  test("tell in the log when Redis goes and comes back, and hand back what they leased at the end", async () => {
    await using redis = await startRedis();
    const config = { redis: await targetOf(redis.url), listeners: [], workers: 1 };
    const made = make();
    const loan = made.part.lend(config);
    expect((await loan.limits.limiter(SPEC).take("a")).isAdmitted).toBe(true);
    expect(made.part.view()).toMatchObject({ kind: "redis", mode: "leased", gateways: 1 });
    await redis.kill();
    await eventually(() => made.part.view()?.mode === "local", "local mode", 15_000);
    await eventually(() => made.said.length > 0, "a line in the log");
    await redis.restart();
    await eventually(() => made.said.at(-1)?.startsWith("limits are exact again") === true, "the return", 15_000);
    expect((await made.metrics.render()).match(/torii_limits_store_calls_total (\d+)/)?.[1]).toMatch(/[1-9]/);
    await made.part.close();
    expect(await redis.cli("HKEYS", "torii:limit:{gateways}")).not.toContain(".0");
  });

  test("move with a reload to another Redis, leave the old one when its last request is over, and refuse nobody", async () => {
    await using first = await startRedis();
    await using second = await startRedis();
    const routes = {
      routes: [
        {
          name: "api",
          plugins: [
            { use: "rate-limit", with: { limit: 1, per: "1h", by: "header.x-a" } },
            { use: "respond", with: { status: 204 } },
          ],
        },
      ],
    };
    const torii = { redis: first.url };
    await using gateway = await startGateway({ torii, routes });
    const ask = async (key: string) =>
      (await gateway.exchange(`GET / HTTP/1.1\r\nHost: a\r\nx-a: ${key}\r\n\r\n`)).status;
    expect([await ask("one"), await ask("one")]).toEqual([204, 429]);
    const text = await Bun.file(`${gateway.folder}/torii.yaml`).text();
    await gateway.write("torii.yaml", text.replace(first.url, second.url));
    await eventually(() => gateway.gateway.snapshot()?.version === "2", "the reload");
    expect([await ask("one"), await ask("one")]).toEqual([204, 429]);
    expect(await second.cli("HLEN", "torii:limit:{gateways}")).toBe("2");
    await eventually(async () => (await first.cli("HLEN", "torii:limit:{gateways}")) !== "2", "a goodbye to the first");
    await eventually(async () => (await first.cli("CLIENT", "LIST")).split("\n").length === 1, "no connection to it");
  });

  test("end in bounded time although Redis is paused", async () => {
    await using redis = await startRedis();
    const config = { redis: await targetOf(redis.url), listeners: [], workers: 1 };
    const made = make();
    await made.part
      .lend(config)
      .limits.limiter({ ...SPEC, limit: 1000, burst: 1000 })
      .take("a");
    process.kill(redis.pid, "SIGSTOP");
    const startedAt = performance.now();
    await made.part.close();
    process.kill(redis.pid, "SIGCONT");
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});
