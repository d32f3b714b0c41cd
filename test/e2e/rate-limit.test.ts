import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { bearer, VIEWER } from "../admin/support.ts";
import { startReady, type Workers } from "../supervisor/support.ts";
import { connect, exchange } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { closedPort } from "../support/unreachable.ts";
import { startGateway } from "../support.ts";
import { limitedRoutes as routes } from "./rate-limit-support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

interface Limited extends Workers {
  readonly adminPort: number;
  limits(): Promise<LimitsAnswer>;
}

interface LimitsAnswer {
  readonly state: { readonly mode: string; readonly gateways: number; readonly kind: string } | null;
  readonly workers: readonly { readonly worker: number }[];
  readonly missing: readonly number[];
}

async function start(redis: RedisProcess, options: Readonly<Record<string, unknown>>, workers = 1): Promise<Limited> {
  const adminPort = closedPort();
  const running = await startReady({
    workers,
    torii: {
      redis: redis.url,
      admin: { port: adminPort, tokens: [{ name: "looks", token: VIEWER, role: "viewer" }] },
      telemetry: { accessLog: { enabled: false } },
    },
    files: { "routes/main.ts": "export default {};", "routes/api.yaml": JSON.stringify(routes(options)) },
  });
  return {
    ...running,
    adminPort,
    async limits() {
      const response = await fetch(`http://127.0.0.1:${adminPort}/v1/limits`, { headers: bearer(VIEWER) });
      // Its schema is the admin API's own matter, and tested there.
      return (await response.json()) as LimitsAnswer;
    },
  };
}

interface Asked {
  /** Answers by status, since the start. */
  readonly statuses: Map<number, number>;
  /** The longest that an answer took. */
  slowestMs: number;
  stop(): Promise<void>;
}

/** Asks all ports without a pause over so many connections each, until it is stopped. */
function ask(ports: readonly number[], connections = 4): Asked {
  let isStopped = false;
  const asked: Asked = {
    statuses: new Map(),
    slowestMs: 0,
    async stop() {
      isStopped = true;
      await Promise.all(all);
    },
  };
  async function work(port: number): Promise<void> {
    using client = await connect({ port });
    while (!isStopped) {
      const startedAt = performance.now();
      await client.send(GET);
      const { status } = await client.response();
      asked.slowestMs = Math.max(asked.slowestMs, performance.now() - startedAt);
      asked.statuses.set(status, (asked.statuses.get(status) ?? 0) + 1);
      await Bun.sleep(2);
    }
  }
  const all = ports.flatMap((port) => Array.from({ length: connections }, () => work(port)));
  return asked;
}

function admitted({ statuses }: Asked): number {
  return statuses.get(200) ?? 0;
}

/** What was refused is 429: anything else would be a fault of ours. */
function faults({ statuses }: Asked): readonly number[] {
  return [...statuses.keys()].filter((status) => status !== 200 && status !== 429);
}

describe("a limit that gateways share through Redis", () => {
  test("holds over both of them, and is used", async () => {
    await using redis = await startRedis();
    const options = { limit: 100, per: "1s", burst: 50 };
    await using one = await start(redis, options);
    await using two = await start(redis, options);
    await eventually(async () => (await one.limits()).state?.gateways === 2, "both to know of each other");
    const startedAt = performance.now();
    const load = ask([one.port, two.port]);
    await Bun.sleep(3000);
    await load.stop();
    const seconds = (performance.now() - startedAt) / 1000;
    expect(faults(load)).toEqual([]);
    expect(admitted(load)).toBeLessThanOrEqual(50 + 100 * seconds);
    expect(admitted(load)).toBeGreaterThan(0.9 * 100 * seconds);
    expect(
      await one.metric('torii_rate_limit_decisions_total{limit="api",outcome="admitted",mode="leased"}'),
    ).toBeGreaterThan(0);
    expect((await one.limits()).state).toMatchObject({ kind: "redis", mode: "leased", gateways: 2, vanished: 0 });
  });

  test("gets back what a gateway that drains has not spent", async () => {
    await using redis = await startRedis();
    const options = { limit: 1, per: "1h", burst: 1000 };
    await using two = await start(redis, options);
    const one = await start(redis, options);
    const load = ask([one.port], 2);
    await eventually(() => admitted(load) > 50, "the first to lease");
    await load.stop();
    const spent = admitted(load);
    one.torii.signal("SIGTERM");
    await one.torii.exited;
    await one[Symbol.asyncDispose]();
    const rest = ask([two.port], 8);
    await eventually(() => (rest.statuses.get(429) ?? 0) > 20, "the second to spend the rest", 30_000);
    await rest.stop();
    expect(spent + admitted(rest)).toBe(1000);
  });

  test("is one limit for several workers, and the admin API tells of all", async () => {
    await using redis = await startRedis();
    await using workers = await start(redis, { limit: 100, per: "1s", burst: 20 }, 2);
    await eventually(async () => (await workers.limits()).state?.gateways === 2, "both workers to be known");
    const startedAt = performance.now();
    const load = ask([workers.port], 16);
    await Bun.sleep(2000);
    await load.stop();
    const seconds = (performance.now() - startedAt) / 1000;
    expect(faults(load)).toEqual([]);
    expect(admitted(load)).toBeLessThanOrEqual(20 + 100 * seconds);
    expect(admitted(load)).toBeGreaterThan(0.8 * 100 * seconds);
    const told = await workers.limits();
    expect(told.workers.map(({ worker }) => worker)).toEqual([1, 2]);
    expect(told.missing).toEqual([]);
    expect(await workers.metric("torii_limits_gateways")).toBe(2);
    const total = await workers.metric(
      'torii_rate_limit_decisions_total{limit="api",outcome="admitted",mode="leased"}',
    );
    expect(total).toBe(admitted(load));
  });

  test("survives a worker that is killed, whose place another takes", async () => {
    await using redis = await startRedis();
    await using workers = await start(redis, { limit: 1000, per: "1s" }, 2);
    await eventually(async () => (await workers.limits()).state?.gateways === 2, "both workers to be known");
    const [victim = 0, ...others] = await workers.pids();
    process.kill(victim, "SIGKILL");
    await eventually(async () => {
      const pids = await workers.pids();
      return pids.length === others.length + 1 && !pids.includes(victim);
    }, "another worker");
    await eventually(workers.isReady, "readiness");
    await eventually(async () => (await workers.limits()).workers.length === 2, "both to answer");
    // It is the same gateway to the others: nothing is withheld for one that will not come back.
    await eventually(async () => {
      const { state } = await workers.limits();
      return state?.gateways === 2 && (await workers.metric("torii_limits_gateways_vanished")) === 0;
    }, "two gateways and none that vanished");
  });
});

describe("workers that are replaced", () => {
  test("share the limit with those that drain, and nobody's share is lost", async () => {
    await using redis = await startRedis();
    await using workers = await start(redis, { limit: 100, per: "1s", burst: 20 }, 2);
    await eventually(async () => (await workers.limits()).state?.gateways === 2, "both workers to be known");
    const before = await workers.pids();
    const startedAt = performance.now();
    const statuses: number[] = [];
    workers.torii.signal("SIGUSR2");
    await eventually(
      async () => {
        statuses.push((await exchange({ port: workers.port }, GET)).status);
        const pids = await workers.pids();
        return pids.length === 2 && pids.every((pid) => !before.includes(pid));
      },
      "two other workers",
      30_000,
    );
    expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(
      20 + (100 * (performance.now() - startedAt)) / 1000,
    );
    await eventually(async () => (await workers.limits()).state?.gateways === 2, "two gateways");
    expect(await workers.metric("torii_limits_gateways_vanished")).toBe(0);
  });
});

describe("Redis away in mid-load", () => {
  const OPTIONS = { limit: 100, per: "1s", burst: 50 };

  /** Two gateways that know of each other, in mid-load. */
  async function startLoaded() {
    await using started = new AsyncDisposableStack();
    const redis = started.use(await startRedis());
    const one = started.use(await start(redis, OPTIONS));
    const two = started.use(await start(redis, OPTIONS));
    await eventually(async () => (await one.limits()).state?.gateways === 2, "both to know of each other");
    const load = ask([one.port, two.port]);
    await eventually(() => admitted(load) > 100, "some load");
    const [startedAt, before] = [performance.now(), admitted(load)];
    const owned = started.move();
    return {
      ...{ redis, one, two, load },
      /** Stops the load, and says what was admitted meanwhile, in how many seconds. */
      async stop() {
        await load.stop();
        return { taken: admitted(load) - before, seconds: (performance.now() - startedAt) / 1000 };
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  }

  const inMode = (gateway: Limited, mode: string) =>
    eventually(async () => (await gateway.limits()).state?.mode === mode, `the mode ${mode}`, 20_000);

  test("by kill -9: no 5xx, shares of the limit, and the mode is told everywhere", async () => {
    await using loaded = await startLoaded();
    const { redis, one, two, load } = loaded;
    await redis.kill();
    await Promise.all([inMode(one, "local"), inMode(two, "local")]);
    const localAt = admitted(load);
    await eventually(() => admitted(load) > localAt + 100, "load in local mode", 20_000);
    expect(await one.metric('torii_limits_mode{mode="local"}')).toBe(1);
    expect(await one.metric("torii_limits_share")).toBeCloseTo(0.5, 5);
    await redis.restart();
    await Promise.all([inMode(one, "leased"), inMode(two, "leased")]);
    const backAt = admitted(load);
    await eventually(() => admitted(load) > backAt + 100, "load after the return", 20_000);
    const { taken, seconds } = await loaded.stop();
    expect(faults(load)).toEqual([]);
    // Redis came back empty, which may add one burst, once.
    expect(taken).toBeLessThanOrEqual(2 * 50 + 100 * seconds);
    const said = one.torii.output();
    expect(said).toContain("limits are local");
    expect(said).toContain("limits are exact again");
  });

  test("by a pause of five seconds: no 5xx, nobody waits long, and no burst when it is back", async () => {
    await using loaded = await startLoaded();
    const { redis, one, two, load } = loaded;
    load.slowestMs = 0;
    process.kill(redis.pid, "SIGSTOP");
    await Bun.sleep(5000);
    process.kill(redis.pid, "SIGCONT");
    await Promise.all([inMode(one, "leased"), inMode(two, "leased")]);
    await Bun.sleep(1000);
    const { taken, seconds } = await loaded.stop();
    expect(faults(load)).toEqual([]);
    expect(taken).toBeLessThanOrEqual(50 + 100 * seconds);
    expect(load.slowestMs).toBeLessThan(2000);
  });

  test("from the start on: the gateway starts, and enforces what it may assume to be its share", async () => {
    await using redis = await startRedis();
    await redis.kill();
    await using gateway = await startGateway({
      torii: { redis: redis.url },
      routes: routes({ limit: 100, per: "1s", burst: 10 }),
    });
    const statuses: number[] = [];
    await eventually(async () => {
      statuses.push((await gateway.exchange(GET)).status);
      return statuses.filter((status) => status === 200).length > 20;
    }, "some to be admitted");
    expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
    await redis.restart();
    await eventually(() => gateway.log.some(({ msg }) => String(msg).startsWith("limits are exact")), "Redis", 20_000);
    expect(await gateway.gateway.metrics.render()).toContain('torii_limits_mode{mode="leased"} 1');
  });

  test.each([
    ["allow", 200],
    ["deny", 429],
  ])("with onStoreError %s answers %p to whoever holds nothing", async (onStoreError, status) => {
    await using redis = await startRedis();
    await using gateway = await startGateway({
      torii: { redis: redis.url },
      routes: routes({ limit: 1, per: "1h", burst: 1, by: "header.x-a", onStoreError }),
    });
    expect((await gateway.exchange(GET)).status).toBe(200);
    await redis.kill();
    const fresh = (at: number) => `GET / HTTP/1.1\r\nHost: a\r\nx-a: ${at}\r\n\r\n`;
    for (let at = 0; at < 3; at++) expect((await gateway.exchange(fresh(at))).status).toBe(status);
    const line = await gateway.logged(({ status: logged }) => logged === status);
    expect(line["status"]).toBe(status);
  });
});
