import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/load.ts";
import { joinShop, leaveShop, writeShop } from "../support/mesh.ts";
import { startOrigin } from "../support/origin.ts";
import { runProgram } from "../support/program.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LEASES = "torii:mesh:{shop}:leases";
const ENDPOINTS = "torii:mesh:{shop}:endpoints";

function startShop(redis: RedisProcess, prefix?: string): Promise<TestGateway> {
  const target = prefix === undefined ? redis.url : { url: redis.url, prefix };
  const torii = { redis: target, telemetry: { accessLog: { enabled: false } } };
  return startGateway({
    torii,
    routes: { services: { shop: {} }, routes: [{ name: "shop", backends: [{ service: "shop" }] }] },
  });
}

function idsOf({ gateway }: TestGateway): readonly string[] {
  return gateway.services.list().flatMap(({ endpoints }) => endpoints.map(({ id }) => id));
}

function said({ log }: TestGateway): readonly Readonly<Record<string, unknown>>[] {
  return log.filter(({ msg }) => String(msg).includes("in the registry ignored"));
}

const URL = "http://127.0.0.1:9";
const BAD: readonly (readonly [what: string, id: string, json: string, reason: string, hint: string])[] = [
  ["no JSON", "bad", "{", "malformed", "it is no JSON object"],
  ["JSON of another kind", "bad", '"http://h:1"', "malformed", "it is no JSON object"],
  ["no number as its weight", "bad", `{"url":"${URL}","weight":NaN}`, "malformed", "it is no JSON object"],
  ["an endless weight", "bad", `{"url":"${URL}","weight":1e999}`, "bad_field", "a whole number from 0 to 1000000"],
  ["a weight in words", "bad", `{"url":"${URL}","weight":"1"}`, "bad_field", "a whole number from 0 to 1000000"],
  ["no URL", "bad", "{}", "bad_url", "write http://host:port without a path"],
  ["a URL with a path", "bad", `{"url":"${URL}/x"}`, "bad_url", "write http://host:port without a path"],
  ["a URL of another scheme", "bad", '{"url":"ftp://h:1"}', "bad_url", "write http://host:port without a path"],
  ["a share in per cent", "bad", `{"url":"${URL}","load":{"cpu":85}}`, "bad_field", "from 0 to 1"],
  ["a load that is none", "bad", `{"url":"${URL}","load":[0.5]}`, "bad_field", "from 0 to 1"],
  ["tags of another kind", "bad", `{"url":"${URL}","tags":{}}`, "bad_field", "a list of texts"],
  ["too much of it", "bad", `{"url":"${URL}","version":"${"v".repeat(20_000)}"}`, "too_large", "at most 16384 bytes"],
  ["an endless id", "b".repeat(1000), `{"url":"${URL}"}`, "bad_field", "at most 256 characters"],
];

describe("an endpoint in Redis", () => {
  test.each(BAD)("with %s is said once and counted, and the rest is served", async (_, id, json, reason, hint) => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await joinShop(redis, "good", origin.port);
    await using gateway = await startShop(redis);
    await writeShop(redis, id, json);
    await eventually(() => said(gateway).length > 0, "the warning");
    for (let round = 0; round < 3; round++) await writeShop(redis, id, json);
    await joinShop(redis, "later", origin.port + 1, { fields: { weight: 0 } });
    await eventually(() => idsOf(gateway).includes("later"), "what comes after it");
    expect(said(gateway)).toHaveLength(1);
    expect(said(gateway)[0]).toMatchObject({ service: "shop", reason });
    expect(String(said(gateway)[0]?.["detail"])).toContain(hint);
    expect(JSON.stringify(said(gateway)).length).toBeLessThan(1000);
    const metrics = await gateway.gateway.metrics.render();
    expect(metrics).toContain(`torii_registry_ignored_total{service="shop",reason="${reason}"} 1\n`);
    expect((await gateway.exchange(GET)).status).toBe(200);
  });

  test("with the URL of another one, or a lease in the past, is said once and counted", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await joinShop(redis, "good", origin.port);
    await using gateway = await startShop(redis);
    await joinShop(redis, "zwin", origin.port);
    await joinShop(redis, "past", 1, { leaseMs: -60_000 });
    await eventually(() => said(gateway).length >= 2, "both to be told");
    for (let round = 0; round < 3; round++) await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
    await joinShop(redis, "later", origin.port + 1, { fields: { weight: 0 } });
    await eventually(() => idsOf(gateway).includes("later"), "what comes after it");
    expect(said(gateway).map(({ endpoint, reason }) => `${endpoint} ${reason}`)).toEqual([
      "zwin duplicate",
      "past lease_over",
    ]);
    expect((await gateway.exchange(GET)).status).toBe(200);
  });

  test("among thousands that are bad is served; the log has twenty of them, and how many there are more", async () => {
    await using redis = await startRedis();
    await using origin = startOrigin();
    await joinShop(redis, "good", origin.port);
    await using gateway = await startShop(redis);
    const fill = `for i = 1, 3000 do redis.call('HSET', KEYS[1], 'bad' .. i, '{') redis.call('ZADD', KEYS[2], ARGV[1], 'bad' .. i) end`;
    await redis.cli("EVAL", fill, "2", ENDPOINTS, LEASES, String(Date.now() + 60_000));
    await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
    await eventually(() => said(gateway).length > 20, "the warnings");
    expect(said(gateway)).toHaveLength(21);
    expect(said(gateway).at(-1)).toMatchObject({ service: "shop", more: 2980 });
    const counted = 'torii_registry_ignored_total{service="shop",reason="malformed"} 3000\n';
    expect(await gateway.gateway.metrics.render()).toContain(counted);
    expect((await gateway.exchange(GET)).status).toBe(200);
  });
});

test("a service of an absurd number of endpoints stays as it was, and says so once", async () => {
  await using redis = await startRedis();
  await using origin = startOrigin();
  await joinShop(redis, "good", origin.port);
  await using gateway = await startShop(redis);
  await eventually(() => idsOf(gateway).length === 1, "the endpoint");
  const fill = `for i = 1, 20001 do redis.call('ZADD', KEYS[1], ARGV[1], 'e' .. i) end`;
  await redis.cli("EVAL", fill, "1", LEASES, String(Date.now() + 60_000));
  for (let round = 0; round < 3; round++) await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
  const refused = () => gateway.log.filter(({ msg }) => String(msg).startsWith("registry refused"));
  await eventually(() => refused().length > 0, "the warning");
  expect(String(refused()[0]?.["reason"])).toContain("more than 20000 endpoints");
  expect((await gateway.exchange(GET)).status).toBe(200);
  expect(await gateway.gateway.metrics.render()).toContain('torii_registry_refused_total{service="shop"} 1\n');
  await redis.cli("ZREMRANGEBYRANK", LEASES, "0", "-2");
  await joinShop(redis, "good", origin.port);
  await joinShop(redis, "later", origin.port + 1, { fields: { weight: 0 } });
  await eventually(() => idsOf(gateway).includes("later"), "the service to be read again");
  expect(refused()).toHaveLength(1);
});

test("a prefix of one's own holds for the registry and for `torii service`", async () => {
  await using redis = await startRedis();
  await using origin = startOrigin();
  await joinShop(redis, "elsewhere", 1);
  await using gateway = await startShop(redis, "staging/eu:");
  await joinShop(redis, "here", origin.port, { prefix: "staging/eu:" });
  await eventually(() => Bun.deepEquals(idsOf(gateway), ["here"]), "the endpoint");
  expect((await gateway.exchange(GET)).status).toBe(200);
  const config = `${gateway.folder}/torii.yaml`;
  const torii = [process.execPath, `${import.meta.dir}/../../src/main.ts`, "service"];
  const listed = await runProgram([...torii, "list", "--config", config]);
  expect(listed.stdout).toContain("here");
  expect(listed.stdout).not.toContain("elsewhere");
  await runProgram([...torii, "remove", "shop", "here", "--config", config]);
  await eventually(() => idsOf(gateway).length === 0, "the endpoint to go");
  const keys = (await redis.cli("KEYS", "*")).split("\n").toSorted();
  expect(keys).toEqual(["staging/eu:mesh:{shop}:mark", "torii:mesh:services", ENDPOINTS, LEASES]);
});

test("endpoints that join and leave compile nothing anew, and a request in flight goes on", async () => {
  await using redis = await startRedis();
  await using origin = startOrigin();
  await joinShop(redis, "one", origin.port);
  await using gateway = await startShop(redis);
  await eventually(() => idsOf(gateway).length === 1, "the endpoint");
  const snapshot = gateway.gateway.snapshot();
  const [service] = gateway.gateway.services.list();
  const endpoint = service?.endpoints[0];
  using client = await gateway.connect();
  await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
  await eventually(() => (service?.endpoints[0]?.pool.openConnections ?? 0) > 0, "the request to be on its way");
  for (let round = 0; round < 5; round++) {
    await joinShop(redis, `more-${round}`, origin.port + 1 + round, { fields: { weight: 0 } });
    await eventually(() => idsOf(gateway).length === 2, "one to join");
    await leaveShop(redis, `more-${round}`);
    await eventually(() => idsOf(gateway).length === 1, "it to leave");
  }
  await joinShop(redis, "another", origin.port + 1, { fields: { weight: 0 } });
  await leaveShop(redis, "one");
  await eventually(() => Bun.deepEquals(idsOf(gateway), ["another"]), "the endpoint in use to leave");
  await client.send("world");
  expect((await client.response("POST")).status).toBe(200);
  expect(gateway.gateway.snapshot()).toBe(snapshot);
  expect(snapshot?.version).toBe("1");
  expect(gateway.gateway.services.list()[0] === service).toBe(true);
  expect(endpoint?.id).toBe("one");
  expect(await gateway.gateway.metrics.render()).toContain('torii_config_reloads_total{result="success"} 1\n');
});
