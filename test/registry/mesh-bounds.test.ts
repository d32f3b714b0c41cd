import { expect, test } from "bun:test";
import { meshLink } from "../../src/gateway/mesh.ts";
import { MOST_BYTES, readService } from "../../src/registry/mesh-read.ts";
import { endpointsOf } from "../../src/registry/mesh-record.ts";
import { createRedisStore } from "../../src/store/redis.ts";
import { startRedis } from "../support/redis.ts";

const KEY = "torii:mesh:{shop}:endpoints";
const LEASES = "torii:mesh:{shop}:leases";

async function setup() {
  const redis = await startRedis();
  const store = createRedisStore({ config: { url: redis.url }, timeoutMs: 5000 });
  return {
    redis,
    read: () => readService(meshLink(store), "shop", "new"),
    fill: (lua: string) => redis.cli("EVAL", lua, "2", KEY, LEASES),
    async [Symbol.asyncDispose]() {
      await store.close();
      await redis[Symbol.asyncDispose]();
    },
  };
}

test("a lease without an end is read as one that does not end", async () => {
  await using mesh = await setup();
  await mesh.fill(
    `redis.call('HSET', KEYS[1], 'a', '{"url":"http://127.0.0.1:1"}') redis.call('ZADD', KEYS[2], '+inf', 'a')`,
  );
  expect((await mesh.read()).live.map(({ id, leftMs }) => [id, leftMs])).toEqual([["a", Number.POSITIVE_INFINITY]]);
});

test("a service whose entries are more than is read is refused, and one just below is not", async () => {
  await using mesh = await setup();
  const entries = Math.floor(MOST_BYTES / 16_010);
  const put = (from: number, to: number) =>
    mesh.fill(
      `for i = ${from}, ${to} do local id = string.format('%010d', i)
       redis.call('HSET', KEYS[1], id, string.rep('x', 16000)) redis.call('ZADD', KEYS[2], '+inf', id) end`,
    );
  await put(1, entries);
  expect((await mesh.read()).live).toHaveLength(entries);
  await put(entries + 1, entries + 1);
  await expect(mesh.read()).rejects.toThrow("TOOMANY");
});

test("of ids and marks that nobody may have only the beginning is read", async () => {
  await using mesh = await setup();
  await mesh.fill(
    `local id = string.rep('i', 20000000) redis.call('HSET', KEYS[1], id, '{"url":"http://127.0.0.1:1"}')
     redis.call('ZADD', KEYS[2], '+inf', id) redis.call('ZADD', KEYS[2], 1, 'j' .. id)
     redis.call('SET', 'torii:mesh:{shop}:mark', id)`,
  );
  const { live, swept, mark } = await mesh.read();
  expect([...live.map(({ id }) => id.length), ...swept.map((id) => id.length), mark.length]).toEqual([2048, 2048, 64]);
  expect(endpointsOf(live).ignored.map(({ reason }) => reason)).toEqual(["bad_field"]);
});
