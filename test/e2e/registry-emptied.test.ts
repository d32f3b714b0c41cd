import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually, startLoad } from "../support/load.ts";
import { joinShop, leaveShop } from "../support/mesh.ts";
import { startOrigin } from "../support/origin.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CHECKS = { interval: "200ms", timeout: "150ms", unhealthyAfter: 1, healthyAfter: 1, path: "/" };

function startShop(redis: RedisProcess, service: object): Promise<TestGateway> {
  const torii = { redis: redis.url, telemetry: { accessLog: { enabled: false } } };
  const routes = { services: { shop: service }, routes: [{ name: "shop", backends: [{ service: "shop" }] }] };
  return startGateway({ torii, routes });
}

function idsOf({ gateway }: TestGateway): readonly string[] {
  return gateway.services.list().flatMap(({ endpoints }) => endpoints.map(({ id }) => id));
}

function shows(gateway: TestGateway, ids: readonly string[], timeoutMs?: number): Promise<void> {
  return eventually(() => Bun.deepEquals(idsOf(gateway), [...ids]), `the endpoints ${ids}`, timeoutMs);
}

/** Empties Redis, and waits until the gateway has seen it. */
async function empty(redis: RedisProcess): Promise<void> {
  await redis.cli("FLUSHALL");
  const isMarked = async () => (await redis.cli("EXISTS", "torii:mesh:{shop}:mark")) === "1";
  await eventually(isMarked, "the loss to be read", 10_000);
}

describe("a registry that was emptied, of a service with health checks", () => {
  test("is believed about the endpoints that fail, at once, and not about those that answer, for longer than the grace", async () => {
    await using redis = await startRedis();
    await using well = startOrigin();
    await using dying = startOrigin();
    await joinShop(redis, "well", well.port);
    await joinShop(redis, "dying", dying.port);
    await using gateway = await startShop(redis, { healthCheck: CHECKS });
    await shows(gateway, ["dying", "well"]);
    await empty(redis);
    expect(idsOf(gateway)).toEqual(["dying", "well"]);
    const emptiedAt = performance.now();
    await dying[Symbol.asyncDispose]();
    await shows(gateway, ["well"], 3000);
    const load = startLoad({ to: { port: gateway.port }, connections: 4, request: GET });
    await eventually(() => performance.now() - emptiedAt > 17_000, "more than the grace", 20_000);
    expect(idsOf(gateway)).toEqual(["well"]);
    expect((await load.stop()).failures).toEqual([]);
    await well[Symbol.asyncDispose]();
    await shows(gateway, [], 3000);
  });

  test("is believed about an endpoint that wrote itself again and then left", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await joinShop(redis, "one", origin.port);
    await using gateway = await startShop(redis, { healthCheck: CHECKS });
    await shows(gateway, ["one"]);
    await empty(redis);
    await joinShop(redis, "one", origin.port, { fields: { weight: 2 } });
    await eventually(() => gateway.gateway.services.list()[0]?.endpoints[0]?.weight === 2, "it to be read again");
    await leaveShop(redis, "one");
    await shows(gateway, [], 1000);
  });

  test("is believed at once about one that fails already", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await joinShop(redis, "one", origin.port);
    await joinShop(redis, "dead", 1);
    await using gateway = await startShop(redis, { healthCheck: CHECKS });
    const [shop] = gateway.gateway.services.list();
    const isFound = () => shop?.endpoints.some((endpoint) => shop.isHealthy?.(endpoint) === false) === true;
    await eventually(isFound, "the check to fail");
    await empty(redis);
    await shows(gateway, ["one"], 1000);
  });
});
