import { describe, expect, test } from "bun:test";
import type { EndpointJudge, EndpointSpec } from "../../src/registry/registry.ts";
import { eventually } from "../support/load.ts";
import { changingRegistryContract, follow, idsOf, type RegistryWorld, registryContract } from "./contract.ts";
import { type RedisWorld, startRedisWorld } from "./redis-support.ts";

/** What a watch of the service shows now. */
function showing({ registry }: Pick<RedisWorld, "registry">, service: string, judge: EndpointJudge | null = null) {
  const abort = new AbortController();
  let shown: readonly EndpointSpec[] = [];
  void (async () => {
    for await (const set of registry.watch(service, abort.signal, judge)) shown = set;
  })();
  return {
    ids: () => idsOf(shown),
    is: (...ids: readonly string[]) => eventually(() => Bun.deepEquals(idsOf(shown), [...ids]), `the set ${ids}`),
    end: () => abort.abort(),
  };
}

/** Of two ids with one URL only one would be used. */
function distinct(endpoints: readonly EndpointSpec[]): readonly EndpointSpec[] {
  const isTaken = ({ url }: EndpointSpec, at: number) => endpoints.findIndex((one) => one.url === url) < at;
  return endpoints.map((one, at) => (isTaken(one, at) ? { ...one, url: `http://127.0.0.1:${9500 + at}` } : one));
}

async function world(catalog: readonly EndpointSpec[]): Promise<RegistryWorld> {
  const redis = await startRedisWorld();
  const held = new Map<string, readonly string[]>();
  const change = async (service: string, endpoints: readonly EndpointSpec[]): Promise<void> => {
    for (const { id, ...rest } of distinct(endpoints)) await redis.add(service, id, JSON.stringify(rest));
    const ids = endpoints.map(({ id }) => id);
    for (const id of held.get(service) ?? []) if (!ids.includes(id)) await redis.remove(service, id);
    held.set(service, ids);
    const shown = showing(redis, service);
    await shown.is(...ids.toSorted());
    shown.end();
  };
  if (catalog.length > 0) await change("catalog", catalog);
  return { registry: redis.registry, change, close: async () => await redis[Symbol.asyncDispose]() };
}

registryContract("redis", world);
changingRegistryContract("redis", () => world([]));

const at = (port: number, more: object = {}): string => JSON.stringify({ url: `http://127.0.0.1:${port}`, ...more });

describe("the registry in Redis", () => {
  test("drops an endpoint when its lease ends, without a message, and sweeps it later", async () => {
    await using redis = await startRedisWorld();
    await redis.add("catalog", "stays", at(1));
    await redis.add("catalog", "ends", at(2), 700);
    const shown = showing(redis, "catalog");
    await shown.is("ends", "stays");
    await shown.is("stays");
    expect(await redis.redis.cli("HEXISTS", "torii:mesh:{catalog}:endpoints", "ends")).toBe("1");
    await redis.redis.cli("ZADD", "torii:mesh:{catalog}:leases", String(Date.now() - 11_000), "ends");
    await redis.redis.cli("PUBLISH", "torii:mesh:changes", "catalog");
    const isSwept = async () => (await redis.redis.cli("HEXISTS", "torii:mesh:{catalog}:endpoints", "ends")) === "0";
    await eventually(isSwept, "the sweep");
    expect(await redis.redis.cli("ZRANGE", "torii:mesh:{catalog}:leases", "0", "-1")).toBe("stays");
    shown.end();
  });

  test("ignores what cannot be used, says so once each, and serves the rest", async () => {
    await using redis = await startRedisWorld();
    const shown = showing(redis, "catalog");
    await redis.add("catalog", "good", at(1, { weight: 3, zone: "a", unknown: true }));
    await redis.add("catalog", "json", "{");
    await redis.add("catalog", "list", "[]");
    await redis.add("catalog", "path", at(2).replace(":2", ":2/x"));
    await redis.add("catalog", "weight", at(3, { weight: -1 }));
    await redis.add("catalog", "zwin", at(1));
    await redis.add("catalog", "past", at(4), -60_000);
    await redis.redis.cli("ZADD", "torii:mesh:{catalog}:leases", String(Date.now() + 60_000), "bare");
    for (let i = 0; i < 3; i++) await redis.redis.cli("PUBLISH", "torii:mesh:changes", "catalog");
    const wanted = [
      "catalog bare no_record",
      "catalog json malformed",
      "catalog list malformed",
      "catalog past lease_over",
      "catalog path bad_url",
      "catalog weight bad_field",
      "catalog zwin duplicate",
    ];
    await eventually(() => redis.ignored.length >= wanted.length, "all to be told");
    expect(redis.ignored.toSorted()).toEqual(wanted);
    expect(shown.ids()).toEqual(["good"]);
    shown.end();
  });

  test("leaves a service as it was whose key is of another type, and says so once", async () => {
    await using redis = await startRedisWorld();
    await redis.add("catalog", "a", at(1));
    await redis.add("other", "b", at(2));
    const [shown, other] = [showing(redis, "catalog"), showing(redis, "other")];
    await shown.is("a");
    await other.is("b");
    await redis.redis.cli("SET", "torii:mesh:{catalog}:leases", "text");
    for (let i = 0; i < 3; i++) await redis.redis.cli("PUBLISH", "torii:mesh:changes", "catalog");
    await redis.add("other", "c", at(3));
    await other.is("b", "c");
    expect([shown.ids(), redis.refused, redis.registry.isUp]).toEqual([["a"], ["catalog"], true]);
    shown.end();
    other.end();
  });

  test("reads thousands of endpoints in one go", async () => {
    await using redis = await startRedisWorld();
    const fill = `for i = 1, 5000 do redis.call('HSET', KEYS[1], 'e' .. i, '{"url":"http://10.0.' .. math.floor(i / 250) .. '.' .. (i % 250) .. ':80"}') redis.call('ZADD', KEYS[2], ARGV[1], 'e' .. i) end`;
    const keys = ["torii:mesh:{catalog}:endpoints", "torii:mesh:{catalog}:leases"];
    await redis.redis.cli("EVAL", fill, "2", ...keys, String(Date.now() + 60_000));
    const shown = showing(redis, "catalog");
    await eventually(() => shown.ids().length === 5000, "all endpoints");
    shown.end();
  });
});

describe("a registry whose Redis is lost", () => {
  test("stays as last known, says so once, and believes what came back empty only after a grace", async () => {
    await using redis = await startRedisWorld();
    await redis.add("catalog", "a", at(1));
    await redis.add("catalog", "b", at(2));
    const shown = showing(redis, "catalog");
    await shown.is("a", "b");
    await redis.redis.kill();
    await eventually(() => !redis.registry.isUp, "the loss to be seen", 10_000);
    expect(shown.ids()).toEqual(["a", "b"]);
    await redis.redis.restart();
    await eventually(() => redis.registry.isUp, "the return to be seen", 10_000);
    await redis.add("catalog", "c", at(3));
    await shown.is("a", "b", "c");
    redis.move(20_000);
    await redis.redis.cli("PUBLISH", "torii:mesh:changes", "catalog");
    await shown.is("c");
    expect(redis.states).toEqual([false, true]);
    shown.end();
  }, 20_000);

  test("and one that is emptied by mistake, are told from a service that leaves, by all gateways", async () => {
    await using redis = await startRedisWorld();
    await using other = redis.another();
    await redis.add("catalog", "a", at(1));
    await redis.add("catalog", "b", at(2));
    const [shown, shownThere] = [showing(redis, "catalog"), showing(other, "catalog")];
    await shown.is("a", "b");
    await shownThere.is("a", "b");
    await redis.redis.cli("FLUSHALL");
    await redis.add("catalog", "c", at(3));
    await shown.is("a", "b", "c");
    await shownThere.is("a", "b", "c");
    redis.move(20_000);
    other.move(20_000);
    await redis.redis.cli("PUBLISH", "torii:mesh:changes", "catalog");
    await shown.is("c");
    await shownThere.is("c");
    await redis.remove("catalog", "c");
    await shown.is();
    shown.end();
    shownThere.end();
  });

  test("and is emptied keeps what passes its checks for five minutes, and drops what fails them without a message", async () => {
    await using redis = await startRedisWorld();
    for (const [index, id] of ["a", "b", "c"].entries()) await redis.add("catalog", id, at(index + 1));
    const failing = new Set(["c"]);
    const shown = showing(redis, "catalog", ({ id }) => !failing.has(id));
    await shown.is("a", "b", "c");
    await redis.redis.cli("FLUSHALL");
    await redis.redis.cli("PUBLISH", "torii:mesh:changes", "catalog");
    await shown.is("a", "b");
    redis.move(240_000);
    await redis.redis.cli("PUBLISH", "torii:mesh:changes", "catalog");
    failing.add("b");
    await shown.is("a");
    redis.move(61_000);
    await shown.is();
    shown.end();
  });

  test("loses none of what is missing to a judge that leaves", async () => {
    await using redis = await startRedisWorld();
    await redis.add("catalog", "a", at(1));
    const [old, shown] = [showing(redis, "catalog", () => false), showing(redis, "catalog", () => true)];
    await shown.is("a");
    old.end();
    await redis.redis.cli("FLUSHALL");
    await redis.redis.cli("PUBLISH", "torii:mesh:changes", "catalog");
    const isMarked = async () => (await redis.redis.cli("EXISTS", "torii:mesh:{catalog}:mark")) === "1";
    await eventually(isMarked, "the loss to be read");
    redis.move(60_000);
    await redis.redis.cli("PUBLISH", "torii:mesh:changes", "catalog");
    await redis.add("catalog", "b", at(2));
    await shown.is("a", "b");
    shown.end();
  });

  test("gives the empty set for a service that it has not read", async () => {
    await using redis = await startRedisWorld();
    await redis.redis.kill();
    const watch = follow(redis.registry, "catalog");
    expect(await watch.next()).toEqual([]);
    watch.end();
  });
});
