import { describe, expect, test } from "bun:test";
import { createMeshWriter } from "../../packages/mesh/src/writer.ts";
import { meshLink } from "../../src/gateway/mesh.ts";
import { createMeshList } from "../../src/registry/mesh-list.ts";
import { createRedisStore } from "../../src/store/redis.ts";
import { eventually } from "../support/load.ts";
import { startRedis } from "../support/redis.ts";

async function startWriter() {
  const redis = await startRedis();
  const store = createRedisStore({ config: { url: redis.url } });
  const changes: string[] = [];
  const abort = new AbortController();
  const standing = Promise.withResolvers<void>();
  const subscriber = { message: (text: string) => void changes.push(text), gap: () => standing.resolve() };
  store.subscribe("mesh:changes", subscriber, abort.signal);
  await standing.promise;
  return {
    redis,
    writer: createMeshWriter(meshLink(store)),
    list: createMeshList(meshLink(store)),
    changes,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await store.close();
      await redis[Symbol.asyncDispose]();
    },
  };
}

const ONE = { id: "one", url: "http://127.0.0.1:1", weight: 2, zone: "z" };

describe("writing into the registry", () => {
  test("gives an endpoint its lease by Redis's clock, and tells others only what is news", async () => {
    await using world = await startWriter();
    const { writer, list, redis, changes } = world;
    await writer.register("shop", ONE, { leaseMs: 15_000 });
    await writer.register("shop", ONE, { leaseMs: 20_000 });
    const [held] = await list.endpoints("shop");
    expect(held?.leftMs).toBeGreaterThan(19_000);
    expect(held?.leftMs).toBeLessThanOrEqual(20_000);
    expect(await redis.cli("HGET", "torii:mesh:{shop}:endpoints", "one")).toBe(
      '{"url":"http://127.0.0.1:1","weight":2,"zone":"z"}',
    );
    expect(await list.services()).toEqual(["shop"]);
    await writer.register("shop", { ...ONE, weight: 3 }, { leaseMs: 20_000 });
    await eventually(() => changes.length === 2, "two messages");
    expect(changes).toEqual(["shop", "shop"]);
  });

  test("tells nobody when only what it wrote before is replaced, unless another hand was there", async () => {
    await using world = await startWriter();
    const { writer, redis, changes } = world;
    const terms = { leaseMs: 15_000, replaced: ONE };
    expect(await writer.register("shop", ONE, terms)).toBe(true);
    expect(await writer.register("shop", { ...ONE, load: { cpu: 0.5 } }, terms)).toBe(false);
    expect(await redis.cli("HGET", "torii:mesh:{shop}:endpoints", "one")).toContain('"load":{"cpu":0.5}');
    expect(await writer.register("shop", ONE, terms)).toBe(true);
    await redis.cli("ZADD", "torii:mesh:{shop}:leases", "1", "one");
    expect(await writer.register("shop", ONE, terms)).toBe(true);
    await eventually(() => changes.length === 3, "three messages");
    expect(changes).toEqual(["shop", "shop", "shop"]);
  });

  test("tells others under the prefix of the keys", async () => {
    await using redis = await startRedis();
    const store = createRedisStore({ config: { url: redis.url }, prefix: "other/é:" });
    const heard = Bun.spawn(["redis-cli", "-p", String(redis.port), "SUBSCRIBE", "other/é:mesh:changes"], {
      stdout: "pipe",
    });
    try {
      const writer = createMeshWriter(meshLink(store));
      const isHeard = async () => (await redis.cli("PUBSUB", "NUMSUB", "other/é:mesh:changes")).endsWith("1");
      await eventually(isHeard, "the subscription");
      await writer.register("shop", ONE, { leaseMs: 15_000 });
      const said: string[] = [];
      for await (const bytes of heard.stdout) {
        said.push(new TextDecoder().decode(bytes));
        if (said.join("").includes("message\n")) break;
      }
      expect(said.join("")).toContain("mesh:changes\nshop");
    } finally {
      heard.kill();
      await store.close();
    }
  });

  test("takes an endpoint out, and a service's name with its last one", async () => {
    await using world = await startWriter();
    const { writer, list, redis } = world;
    await writer.register("shop", ONE, { leaseMs: 15_000 });
    await writer.register("shop", { ...ONE, id: "two" }, { leaseMs: 15_000 });
    expect(await writer.deregister("shop", "one")).toBe(true);
    expect(await writer.deregister("shop", "one")).toBe(false);
    expect((await list.endpoints("shop")).map(({ id }) => id)).toEqual(["two"]);
    expect(await list.services()).toEqual(["shop"]);
    await writer.deregister("shop", "two");
    expect(await list.services()).toEqual([]);
    expect(await redis.cli("KEYS", "*")).toBe("");
  });
});
