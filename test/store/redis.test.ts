import { afterAll } from "bun:test";
import { createRedisStore } from "../../src/store/redis.ts";
import { startRedis } from "../support/redis.ts";
import { storeContract } from "./contract.ts";

const redis = await startRedis();
afterAll(() => redis[Symbol.asyncDispose]());

storeContract("Redis", async () => {
  await redis.cli("flushall");
  await redis.cli("script", "flush");
  const store = createRedisStore({ config: { url: redis.url } });
  const other = createRedisStore({ config: { url: redis.url } });
  return {
    store,
    other,
    // Redis' clock is its own: a key's time must really pass.
    pass: (ms) => Bun.sleep(ms),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([store.close(), other.close()]);
    },
  };
});
