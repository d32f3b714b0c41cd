import { describe, expect, test } from "bun:test";
import { meshLink } from "../../src/gateway/mesh.ts";
import { createMeshWriter } from "../../src/registry/mesh-writer.ts";
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
    const { writer, redis, changes } = world;
    await writer.register("shop", ONE, 15_000);
    await writer.register("shop", ONE, 20_000);
    const [held] = await writer.endpoints("shop");
    expect(held?.leftMs).toBeGreaterThan(19_000);
    expect(held?.leftMs).toBeLessThanOrEqual(20_000);
    expect(await redis.cli("HGET", "torii:mesh:{shop}:endpoints", "one")).toBe(
      '{"url":"http://127.0.0.1:1","weight":2,"zone":"z"}',
    );
    expect(await writer.services()).toEqual(["shop"]);
    await writer.register("shop", { ...ONE, weight: 3 }, 20_000);
    await eventually(() => changes.length === 2, "two messages");
    expect(changes).toEqual(["shop", "shop"]);
  });

  test("takes an endpoint out, and a service's name with its last one", async () => {
    await using world = await startWriter();
    const { writer, redis } = world;
    await writer.register("shop", ONE, 15_000);
    await writer.register("shop", { ...ONE, id: "two" }, 15_000);
    expect(await writer.deregister("shop", "one")).toBe(true);
    expect(await writer.deregister("shop", "one")).toBe(false);
    expect((await writer.endpoints("shop")).map(({ id }) => id)).toEqual(["two"]);
    expect(await writer.services()).toEqual(["shop"]);
    await writer.deregister("shop", "two");
    expect(await writer.services()).toEqual([]);
    expect(await redis.cli("KEYS", "*")).toBe("");
  });
});
