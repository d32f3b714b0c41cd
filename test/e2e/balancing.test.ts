import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { startReady } from "../supervisor/support.ts";
import { connect } from "../support/client.ts";
import { eventually, startLoad } from "../support/load.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/** A change in the registry is in force within so long. */
const REACTION_MS = 250;

type Entry = Readonly<Record<string, unknown>>;

/** Writes an endpoint as docs/mesh.md says, by `redis-cli`. */
async function put(redis: RedisProcess, id: string, upstream: Upstream, entry: Entry = {}): Promise<void> {
  const seconds = Number((await redis.cli("TIME")).split("\n")[0]);
  await redis.cli("SADD", "torii:mesh:services", "shop");
  await redis.cli("HSET", "torii:mesh:{shop}:endpoints", id, JSON.stringify({ url: upstream.url, ...entry }));
  await redis.cli("ZADD", "torii:mesh:{shop}:leases", String(seconds * 1000 + 600_000), id);
  await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
}

const ONE_LISTENER = {
  listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
  status: { address: "127.0.0.1", port: 0 },
};
const named = (name: string): Upstream => startAnswering(() => ok(name));

function routesWith(loadBalancing: object, backend: object = {}): object {
  return {
    services: { shop: { loadBalancing } },
    routes: [{ name: "shop", backends: [{ service: "shop", ...backend }] }],
  };
}

/** Who answers so many requests, sorted. */
async function answers(gateway: TestGateway, count = 12, request = GET): Promise<string> {
  const found: string[] = [];
  for (let i = 0; i < count; i++) found.push((await gateway.exchange(request)).body.toString());
  return [...new Set(found)].sort().join();
}

function becomes(gateway: TestGateway, expected: string, timeoutMs = 10_000): Promise<void> {
  return eventually(async () => (await answers(gateway)) === expected, `answers of ${expected}`, timeoutMs);
}

/** What a gateway knows of an endpoint's load. */
function knows(gateway: TestGateway, id: string, cpu: number): Promise<void> {
  const endpoints = () => gateway.gateway.services.list().flatMap((service) => service.endpoints);
  return eventually(() => endpoints().find((one) => one.id === id)?.load?.cpu === cpu, `${id} at ${cpu}`, REACTION_MS);
}

async function metric(gateway: TestGateway, line: string): Promise<boolean> {
  return (await gateway.gateway.metrics.render()).split("\n").includes(line);
}

describe("endpoints in Redis that report their load", () => {
  test("get no new requests over the threshold, and come back, with no request lost", async () => {
    await using redis = await startRedis();
    await using a = named("a");
    await using b = named("b");
    await put(redis, "a", a, { load: { cpu: 0.2 } });
    await put(redis, "b", b, { load: { cpu: 0.2 } });
    const routes = JSON.stringify(routesWith({ maxLoad: { cpu: "90%", memory: "90%" } }));
    await using gateway = await startGateway({ torii: { redis: redis.url }, routes });
    await becomes(gateway, "a,b");
    const load = startLoad({ to: gateway, connections: 4, request: GET });

    await put(redis, "a", a, { load: { cpu: 0.97 } });
    await knows(gateway, "a", 0.97);
    const taken = a.requests.length;
    expect(await answers(gateway, 30)).toBe("b");
    // What had begun when the report came may still arrive; nothing new does.
    expect(a.requests.length - taken).toBeLessThanOrEqual(4);
    expect(await metric(gateway, 'torii_endpoints_absent{service="shop",reason="overloaded"} 1')).toBe(true);

    // Below the threshold, but not by a tenth of it.
    await put(redis, "a", a, { load: { cpu: 0.85 } });
    await knows(gateway, "a", 0.85);
    expect(await answers(gateway, 30)).toBe("b");
    await put(redis, "a", a, { load: { cpu: 0.5 } });
    await knows(gateway, "a", 0.5);
    expect(await answers(gateway, 30)).toBe("a,b");
    expect(await metric(gateway, 'torii_endpoints_absent{service="shop",reason="overloaded"} 0')).toBe(true);

    expect(await load.stop()).toMatchObject({ failures: [] });
    const said = gateway.log.filter(({ endpoint }) => endpoint === "a").map(({ msg, cpu }) => [msg, cpu]);
    expect(said).toEqual([
      ["endpoint overloaded: it reports too much load", 0.97],
      ["endpoint recovered from its load", 0.5],
    ]);
  });

  test("are all used when all are overloaded", async () => {
    await using redis = await startRedis();
    await using a = named("a");
    await using b = named("b");
    await put(redis, "a", a, { load: { memory: 0.99 } });
    await put(redis, "b", b, { load: { memory: 0.99 } });
    const routes = JSON.stringify(routesWith({ maxLoad: { memory: "90%" } }));
    await using gateway = await startGateway({ torii: { redis: redis.url }, routes });
    await becomes(gateway, "a,b");
    expect(await metric(gateway, 'torii_endpoints_absent{service="shop",reason="overloaded"} 2')).toBe(true);
  });
});

describe("endpoints in Redis that stand in zones", () => {
  test("take the requests of their zone's gateways, and those of others that lack capacity", async () => {
    await using redis = await startRedis();
    await using near = named("near");
    await using far = named("far");
    await put(redis, "near", near, { zone: "eu-1" });
    await put(redis, "far", far, { zone: "eu-2" });
    const routes = JSON.stringify(routesWith({ zone: "prefer", maxLoad: { cpu: "90%" } }));
    const torii = { redis: redis.url, zone: "${TORII_ZONE:-}" };
    await using one = await startGateway({ torii, routes, env: { TORII_ZONE: "eu-1" } });
    await using two = await startGateway({ torii, routes, env: { TORII_ZONE: "eu-2" } });
    await using nowhere = await startGateway({ torii, routes, env: {} });
    await becomes(one, "near");
    await becomes(two, "far");
    await becomes(nowhere, "far,near");
    const load = startLoad({ to: one, connections: 4, request: GET });
    await put(redis, "near", near, { zone: "eu-1", load: { cpu: 1 } });
    await becomes(one, "far");
    expect(await metric(one, 'torii_zone_share{service="shop"} 0')).toBe(true);
    await put(redis, "near", near, { zone: "eu-1", load: { cpu: 0.1 } });
    await becomes(one, "near");
    await put(redis, "near", near, { zone: "eu-3" });
    await becomes(one, "far,near");
    expect(await load.stop()).toMatchObject({ failures: [] });
  });
});

test("a zone that is down is left without a panic, and without a lost request", async () => {
  const near = named("near");
  await using far = named("far");
  const endpoints = [
    { url: near.url, zone: "eu-1" },
    { url: far.url, zone: "eu-2" },
  ];
  const healthCheck = { type: "tcp", interval: "100ms", timeout: "1s", unhealthyAfter: 1, healthyAfter: 1 };
  const routes = {
    services: { shop: { endpoints, healthCheck, loadBalancing: { zone: "prefer", panicThreshold: "80%" } } },
    routes: [
      {
        name: "shop",
        retry: { attempts: 2, on: ["connect_failure", "reset"], backoff: "1ms", budget: "100%" },
        backends: [{ service: "shop" }],
      },
    ],
  };
  await using gateway = await startGateway({ torii: { ...ONE_LISTENER, zone: "eu-1" }, routes });
  await becomes(gateway, "near");
  const load = startLoad({ to: gateway, connections: 4, request: GET });
  await near.close();
  await becomes(gateway, "far");
  const health = 'torii_endpoints_absent{service="shop",reason="unhealthy"} 1';
  await eventually(() => metric(gateway, health), "the checks to see it");
  expect(await answers(gateway, 20)).toBe("far");
  expect(gateway.gateway.services.list()[0]?.isPanic).toBe(false);
  expect(await metric(gateway, 'torii_zone_share{service="shop"} 0')).toBe(true);
  expect(await load.stop()).toMatchObject({ failures: [] });
});

describe("endpoints in Redis that have versions and tags", () => {
  test("are reached by the backends that ask for them, while routes change under load", async () => {
    await using redis = await startRedis();
    await using a = named("a");
    await using b = named("b");
    await using c = named("c");
    await put(redis, "a", a, { version: "1" });
    await put(redis, "b", b, { version: "2" });
    await put(redis, "c", c, { version: "2", tags: ["canary"] });
    const routes = (subset: object) => JSON.stringify(routesWith({}, { subset }));
    await using gateway = await startGateway({ torii: { redis: redis.url }, routes: routes({ version: "1" }) });
    await becomes(gateway, "a");
    const load = startLoad({ to: gateway, connections: 4, request: GET });
    for (const [subset, expected] of [
      [{ version: "2" }, "b,c"],
      [{ tags: ["canary"] }, "c"],
      [{ version: "1" }, "a"],
    ] as const) {
      await gateway.write("routes/main.yaml", routes(subset));
      await becomes(gateway, expected);
    }
    expect(await load.stop()).toMatchObject({ failures: [] });
    // One service, whichever subsets were in use.
    expect(gateway.gateway.services.list().map(({ name }) => name)).toEqual(["shop"]);
    expect([a, b, c].map(({ connections }) => connections.length > 0)).toEqual([true, true, true]);

    await gateway.write("routes/main.yaml", routes({ version: "3", tags: ["canary"] }));
    await eventually(async () => (await gateway.exchange(GET)).status === 503, "no endpoint");
    const { status, body } = await gateway.exchange(GET);
    expect([status, JSON.parse(body.toString())]).toMatchObject([
      503,
      { type: "urn:torii:problem:no_endpoint", detail: "The service has no endpoint of version 3, tag canary." },
    ]);
    await put(redis, "b", b, { version: "3", tags: ["x", "canary"] });
    await becomes(gateway, "b");
  });

  test("are found by each of several workers", async () => {
    await using redis = await startRedis();
    await using a = named("a");
    await using b = named("b");
    await put(redis, "a", a, { zone: "eu-1", version: "2" });
    await put(redis, "b", b, { zone: "eu-1", version: "2", load: { cpu: 1 } });
    await using other = named("other");
    await put(redis, "other", other, { zone: "eu-1", version: "1" });
    const main = JSON.stringify(routesWith({ zone: "prefer", maxLoad: { cpu: "90%" } }, { subset: { version: "2" } }));
    const torii = { redis: redis.url, zone: "eu-1" };
    await using workers = await startReady({ torii, files: { "routes/main.yaml": main } });
    const load = startLoad({ to: { port: workers.port }, connections: 8, request: GET });
    await eventually(() => load.answered() > 300, "some load");
    expect(await load.stop()).toMatchObject({ failures: [] });
    expect([b.requests.length, other.requests.length]).toEqual([0, 0]);
    // What each of them knows is not added up.
    expect(await workers.metric("torii_endpoints_absent")).toBe(1);
    expect(await workers.metric("torii_zone_share")).toBe(1);
  });
});

test("a subset takes connections of a tcp route too", async () => {
  const greeting = (name: string) => startUpstream((connection) => connection.send(name));
  await using a = greeting("a");
  await using b = greeting("b");
  const listeners = [{ name: "db", address: "127.0.0.1", port: 0, protocol: "tcp" }];
  const endpoints = [
    { url: a.url, version: "1" },
    { url: b.url, version: "2" },
  ];
  const routes = {
    services: { shop: { endpoints } },
    routes: [{ name: "db", listeners: ["db"], backends: [{ service: "shop", subset: { version: "2" } }] }],
  };
  await using gateway = await startGateway({ torii: { listeners, status: { address: "127.0.0.1", port: 0 } }, routes });
  const port = gateway.gateway.addresses.get("db")?.port ?? 0;
  for (let i = 0; i < 4; i++) {
    using client = await connect({ port });
    expect((await client.peer.take(1)).toString()).toBe("b");
  }
});

describe("keys by a claim", () => {
  const SECRET = "of a test";
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

  function token(claims: object): string {
    const signed = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded(claims)}`;
    return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
  }

  test("of a verified token lead each tenant to one endpoint, and those without one anywhere", async () => {
    const upstreams = ["a", "b", "c", "d"].map(named);
    const endpoints = upstreams.map(({ url }, at) => ({ url, id: `e${at}` }));
    const routes = {
      services: { shop: { endpoints, loadBalancing: { policy: "consistent_hash", by: "jwt.org.id" } } },
      routes: [
        {
          name: "shop",
          plugins: [{ use: "hono/jwt", with: { secret: SECRET, alg: "HS256" } }],
          backends: [{ service: "shop" }],
        },
      ],
    };
    await using gateway = await startGateway({ routes });
    const asking = (claims: object) => `GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token(claims)}\r\n\r\n`;
    const found = new Set<string>();
    for (let i = 0; i < 24; i++) {
      const answer = await answers(gateway, 3, asking({ sub: `user-${i}`, org: { id: `tenant-${i}` } }));
      expect(answer).toHaveLength(1);
      found.add(answer);
    }
    expect([...found].sort().join()).toBe("a,b,c,d");
    expect(await answers(gateway, 60, asking({ sub: "ana" }))).toBe("a,b,c,d");
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  });
});
