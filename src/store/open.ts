import { createMemoryStore } from "./memory.ts";
import { createRedisStore, type RedisStoreOptions } from "./redis.ts";
import type { RedisTarget } from "./redis-target.ts";
import type { Store } from "./store.ts";

/** The store that a configuration asks for: in Redis, or within this process when there is none. `close` it. */
export function createStore(redis: RedisTarget | null, options: Omit<RedisStoreOptions, "config"> = {}): Store {
  return redis === null ? createMemoryStore() : createRedisStore({ ...options, config: redis });
}
