import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { startReady } from "../supervisor/support.ts";
import { eventually, startLoad } from "../support/load.ts";
import { startOrigin } from "../support/origin.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ROUTES = { services: { shop: {} }, routes: [{ name: "shop", backends: [{ service: "shop" }] }] };
const ENDPOINTS = "torii:mesh:{shop}:endpoints";
const LEASES = "torii:mesh:{shop}:leases";

/** The lines of docs/mesh.md, each by `redis-cli`. */
async function join(redis: RedisProcess, id: string, port: number, leaseMs = 60_000): Promise<void> {
  const [seconds = "", micros = ""] = (await redis.cli("TIME")).split("\n");
  const nowMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  await redis.cli("SADD", "torii:mesh:services", "shop");
  await redis.cli("HSET", ENDPOINTS, id, JSON.stringify({ url: `http://127.0.0.1:${port}` }));
  await redis.cli("ZADD", LEASES, String(nowMs + leaseMs), id);
  await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
}

async function leave(redis: RedisProcess, id: string): Promise<void> {
  await redis.cli("ZREM", LEASES, id);
  await redis.cli("HDEL", ENDPOINTS, id);
  await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
}

function startShop(redis: RedisProcess): Promise<TestGateway> {
  return startGateway({ torii: { redis: redis.url, telemetry: { accessLog: { enabled: false } } }, routes: ROUTES });
}

function endpointsOf({ gateway }: TestGateway): readonly string[] {
  return gateway.services.list().flatMap(({ endpoints }) => endpoints.map(({ id }) => id));
}

function knows(gateway: TestGateway, ids: readonly string[], timeoutMs = 250): Promise<void> {
  return eventually(() => Bun.deepEquals(endpointsOf(gateway), [...ids]), `the endpoints ${ids}`, timeoutMs);
}

async function status(gateway: TestGateway): Promise<number> {
  return (await gateway.exchange(GET)).status;
}

describe("a service in Redis", () => {
  test("joins and leaves by plain commands, within 250 ms", async () => {
    await using redis = await startRedis();
    await using gateway = await startShop(redis);
    await using origin = startOrigin();
    expect(await status(gateway)).toBe(503);
    await join(redis, "one", origin.port);
    await knows(gateway, ["one"]);
    expect(await status(gateway)).toBe(200);
    await leave(redis, "one");
    await knows(gateway, []);
    expect(await status(gateway)).toBe(503);
  });

  test("is dropped when its lease runs out", async () => {
    await using redis = await startRedis();
    await using gateway = await startShop(redis);
    await using origin = startOrigin();
    await join(redis, "one", origin.port, 600);
    await knows(gateway, ["one"]);
    await knows(gateway, [], 850);
  });

  test("is found by each of several workers", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await join(redis, "one", origin.port);
    const files = { "routes/main.yaml": JSON.stringify(ROUTES) };
    await using workers = await startReady({ torii: { redis: redis.url }, files });
    const load = startLoad({ to: { port: workers.port }, connections: 8, request: GET });
    await eventually(() => load.answered() > 200, "some load");
    expect(await load.stop()).toMatchObject({ failures: [] });
    expect(await workers.metric("torii_registry_up")).toBe(1);
  });

  test("that faults is told in the log and the metrics, once", async () => {
    await using redis = await startRedis();
    await using gateway = await startShop(redis);
    await redis.cli("HSET", ENDPOINTS, "bad", "{");
    await join(redis, "worse", 0);
    await redis.cli("ZADD", LEASES, String(Date.now() + 60_000), "bad");
    for (let i = 0; i < 3; i++) await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
    const said = () => gateway.log.filter(({ msg }) => msg === "endpoint in the registry ignored");
    await eventually(() => said().length === 2, "both to be told");
    // One reading may find both.
    const told = said().map(({ endpoint, reason }) => `${endpoint} ${reason}`);
    expect(told.sort()).toEqual(["bad malformed", "worse bad_url"]);
    const metrics = await gateway.gateway.metrics.render();
    expect(metrics).toContain('torii_registry_ignored_total{service="shop",reason="malformed"} 1');
  });
});

describe("a Redis that is lost", () => {
  test("by kill -9, and back with nothing in it, fails no request", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await join(redis, "one", origin.port);
    await using gateway = await startShop(redis);
    const load = startLoad({ to: { port: gateway.port }, connections: 8, request: GET });
    await eventually(() => load.answered() > 200, "some load");
    await redis.kill();
    const isAway = () => gateway.log.some(({ msg }) => msg === "registry is away: endpoints stay as last known");
    await eventually(isAway, "the loss to be told", 10_000);
    expect(await gateway.gateway.metrics.render()).toContain('torii_registry_up{registry="redis"} 0');
    await redis.restart();
    await eventually(() => gateway.log.some(({ msg }) => msg === "registry is back"), "the return", 10_000);
    const answered = load.answered();
    await eventually(() => load.answered() > answered + 200, "load after the return");
    await join(redis, "one", origin.port);
    expect((await load.stop()).failures).toEqual([]);
    expect(gateway.log.filter(({ msg }) => String(msg).startsWith("registry is"))).toHaveLength(2);
  });

  test("by kill -9 is told at once, not when it is read the next time", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await join(redis, "one", origin.port);
    await using gateway = await startShop(redis);
    for (let i = 0; i < 3; i++) {
      const isUp = async () =>
        (await gateway.gateway.metrics.render()).includes('torii_registry_up{registry="redis"} 1');
      await eventually(isUp, "Redis to be there", 10_000);
      await redis.kill();
      await eventually(async () => !(await isUp()), "the loss to be told", 1000);
      await redis.restart();
    }
  });

  test("by FLUSHALL fails no request either", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await join(redis, "one", origin.port);
    await using gateway = await startShop(redis);
    const load = startLoad({ to: { port: gateway.port }, connections: 8, request: GET });
    await eventually(() => load.answered() > 200, "some load");
    await redis.cli("FLUSHALL");
    const isMarked = async () => (await redis.cli("EXISTS", "torii:mesh:{shop}:mark")) === "1";
    await eventually(isMarked, "the loss to be read", 10_000);
    const answered = load.answered();
    await eventually(() => load.answered() > answered + 200, "load after the loss");
    expect((await load.stop()).failures).toEqual([]);
    expect(endpointsOf(gateway)).toEqual(["one"]);
  });

  test("by CLIENT PAUSE fails no request", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await join(redis, "one", origin.port);
    await using gateway = await startShop(redis);
    const load = startLoad({ to: { port: gateway.port }, connections: 8, request: GET });
    await eventually(() => load.answered() > 200, "some load");
    await redis.cli("CLIENT", "PAUSE", "8000", "ALL");
    await eventually(() => gateway.log.some(({ msg }) => String(msg).startsWith("registry is away")), "away", 10_000);
    await eventually(() => gateway.log.some(({ msg }) => msg === "registry is back"), "the return", 20_000);
    expect((await load.stop()).failures).toEqual([]);
    expect(endpointsOf(gateway)).toEqual(["one"]);
  });

  test("at the start keeps no gateway from starting; its endpoints come with it", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await redis.kill();
    await using gateway = await startShop(redis);
    expect(await status(gateway)).toBe(503);
    await redis.restart();
    await join(redis, "one", origin.port);
    await knows(gateway, ["one"], 10_000);
    expect(await status(gateway)).toBe(200);
  });
});
