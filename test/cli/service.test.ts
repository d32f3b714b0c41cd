import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { tmpdir } from "node:os";
import { eventually } from "../support/load.ts";
import { startTorii } from "../support/process.ts";
import { freePort, type RedisProcess, startRedis } from "../support/redis.ts";
import { torii } from "./support.ts";

setDefaultTimeout(30_000);

const URL = "http://127.0.0.1:9001";

function startAdd({ url: REDIS_URL }: Pick<RedisProcess, "url">, ...args: readonly string[]) {
  return startTorii(["service", "add", "shop", URL, ...args], tmpdir(), { REDIS_URL });
}

function held(redis: RedisProcess): Promise<string> {
  return redis.cli("HGETALL", "torii:mesh:{shop}:endpoints");
}

async function list(redis: RedisProcess, ...args: readonly string[]) {
  return JSON.parse((await torii(["service", "list", "--json", ...args], {}, { REDIS_URL: redis.url })).out);
}

describe("torii service add", () => {
  test("keeps an endpoint registered while it runs, and takes it out in the end", async () => {
    await using redis = await startRedis();
    await using add = startAdd(redis, "--ttl", "1s", "--weight", "3", "--zone", "z", "--tag", "a", "--tag", "b");
    await add.says(/shop 127\.0\.0\.1:9001 is registered at http:\/\/127\.0\.0\.1:9001/);
    const wanted = { service: "shop", id: "127.0.0.1:9001", url: URL, weight: 3, zone: "z", tags: ["a", "b"] };
    expect(await list(redis)).toMatchObject([wanted]);
    const first = Number(await redis.cli("ZSCORE", "torii:mesh:{shop}:leases", "127.0.0.1:9001"));
    const isRenewedTwice = async () =>
      Number(await redis.cli("ZSCORE", "torii:mesh:{shop}:leases", "127.0.0.1:9001")) > first + 500;
    await eventually(isRenewedTwice, "the lease to be renewed");
    add.signal("SIGTERM");
    expect(await add.exited).toBe(0);
    expect(add.output()).toContain("is taken out");
    expect(await redis.cli("KEYS", "*")).toBe("");
  });

  test("waits for a Redis that is away, and registers anew in one that lost all", async () => {
    const port = freePort();
    await using add = startAdd({ url: `redis://127.0.0.1:${port}` }, "--ttl", "1s", "--id", "one");
    await add.says(/shop one cannot be registered, trying on: Redis is away/);
    await using redis = await startRedis({ port });
    await add.says(/shop one is registered/);
    await redis.restart();
    await eventually(async () => (await held(redis)).startsWith("one"), "it to be there again", 10_000);
    add.signal("SIGINT");
    expect(await add.exited).toBe(0);
  });

  const misuse: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [[], /URL is missing/],
    [["http://h:1/path"], /write http:\/\/host:port without a path/],
    [["http://h:1", "more"], /"more" is one word too many/],
    [["http://h:1", "--ttl", "5"], /--ttl "5" is no lease/],
    [["http://h:1", "--weight", "x"], /--weight .*a whole number from 0 to 1000000/],
    [["http://h:1", "--wait", "x"], /--wait/],
  ];
  for (const [args, said] of misuse) {
    test(`refuses ${args.join(" ") || "nothing"} as misuse`, async () => {
      const ran = await torii(["service", "add", "shop", ...args]);
      expect(ran.err).toMatch(said);
      expect(ran.code).toBe(2);
    });
  }

  test("reads of torii.yaml what redis says, and minds nothing else there", async () => {
    await using redis = await startRedis();
    const rest =
      "admin: { port: 9901, tokens: [{ name: a, token: '${TORII_ADMIN_TOKEN}', role: viewer }] }\nnonsense: 1\n";
    const listed = await torii(
      ["service", "list"],
      { "torii.yaml": `redis: "\${SHOP_REDIS}"\n${rest}` },
      { SHOP_REDIS: redis.url },
    );
    expect([listed.code, listed.err]).toEqual([0, ""]);
    const unset = await torii(["service", "list"], { "torii.yaml": `redis: "\${SHOP_REDIS}"\n${rest}` });
    expect(unset).toMatchObject({ code: 1, out: "" });
    expect(unset.err).toStartWith("torii.yaml:1:8 redis: the environment variable SHOP_REDIS is not set");
    const wrong = await torii(["service", "list"], { "torii.yaml": `redis: { url: "http://u:hush-hush@r" }\n${rest}` });
    expect(wrong.err).toMatch(/^torii\.yaml:1:15 redis\.url: /);
    expect(wrong.err).not.toContain("hush-hush");
    const none = await torii(["service", "list", "--config", "none.yaml"]);
    expect(none.err).toBe("torii service: none.yaml cannot be read (ENOENT); create it, or correct the path");
  });

  test("says that there is no Redis, and of a bad one what would be right", async () => {
    const none = await torii(["service", "add", "shop", URL]);
    expect([none.code, none.err]).toEqual([
      1,
      "torii service: there is no Redis; set redis in torii.yaml, or REDIS_URL",
    ]);
    const bad = await torii(["service", "list"], {}, { REDIS_URL: "http://r" });
    expect([bad.code, bad.err]).toEqual([
      1,
      "torii service: REDIS_URL is no URL of a Redis; write redis://user:password@host:6379",
    ]);
  });
});

describe("torii service remove", () => {
  test("takes an endpoint out by its id or its URL, and says when there is none", async () => {
    await using redis = await startRedis();
    await using add = startAdd(redis, "--ttl", "30s");
    await add.says(/is registered/);
    const env = { REDIS_URL: redis.url };
    expect(await torii(["service", "remove", "shop", URL], {}, env)).toMatchObject({ code: 0 });
    expect(await held(redis)).toBe("");
    expect(await torii(["service", "remove", "shop", "127.0.0.1:9001"], {}, env)).toMatchObject({
      code: 1,
      err: 'torii service: shop has no endpoint "127.0.0.1:9001"',
    });
  });
});

describe("torii service list", () => {
  test("shows what gateways see, faults included, of the Redis that torii.yaml names", async () => {
    await using redis = await startRedis();
    const end = String(Date.now() + 60_000);
    await redis.cli("SADD", "torii:mesh:services", "shop", "gone");
    await redis.cli(
      "HSET",
      "torii:mesh:{shop}:endpoints",
      "a",
      `{"url":"${URL}","version":"v2","tags":["canary","big"]}`,
      "b",
      "{",
    );
    await redis.cli("ZADD", "torii:mesh:{shop}:leases", end, "a", end, "b");
    const files = { "torii.yaml": `redis: ${redis.url}\n`, "routes/broken.yaml": "routes: {" };
    const ran = await torii(["service", "list", "shop"], files, { REDIS_URL: "redis://nowhere" });
    const [head, a, b, more] = ran.out.split("\n");
    expect(head).toMatch(/^SERVICE +ENDPOINT +URL +WEIGHT +ZONE +VERSION +TAGS +LEASE$/);
    expect(a).toMatch(/^shop +a +http:\/\/127\.0\.0\.1:9001 +1 +- +v2 +canary, big +\d+\.\ds$/);
    expect(b).toMatch(/^shop +b +\(ignored: it is no JSON object/);
    expect([ran.code, more]).toEqual([0, undefined]);
    expect(await list(redis)).toHaveLength(2);
  });

  test("tells of one whose URL is another's that gateways ignore it, and what each reports of its load", async () => {
    await using redis = await startRedis();
    const end = String(Date.now() + 60_000);
    await redis.cli("SADD", "torii:mesh:services", "shop");
    const json = `{"url":"${URL}","load":{"cpu":0.5}}`;
    await redis.cli("HSET", "torii:mesh:{shop}:endpoints", "a", json, "b", json);
    await redis.cli("ZADD", "torii:mesh:{shop}:leases", end, "a", end, "b");
    expect(await list(redis)).toMatchObject([
      { id: "a", url: URL, load: { cpu: 0.5 }, fault: null },
      { id: "b", url: null, load: null, fault: expect.stringContaining('its url is that of endpoint "a" already') },
    ]);
  });
});
