import { meshLink } from "../../src/gateway/mesh.ts";
import { createRedisRegistry, type RedisRegistry } from "../../src/registry/redis.ts";
import { createRedisStore } from "../../src/store/redis.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";

/** A registry over a Redis, as one gateway has it, and what it told. */
export interface RedisReader extends AsyncDisposable {
  readonly registry: RedisRegistry;
  /** `service id reason` of each endpoint that is not used. */
  readonly ignored: readonly string[];
  readonly refused: readonly string[];
  readonly states: readonly boolean[];
  /** Moves the registry's clock, not Redis's. */
  move(ms: number): void;
}

/** A registry over a Redis of its own. */
export interface RedisWorld extends RedisReader {
  readonly redis: RedisProcess;
  /** As another gateway has it. */
  another(): RedisReader;
  /** Writes as any language may: an endpoint whose lease ends in so many milliseconds. */
  add(service: string, id: string, json: string, leftMs?: number): Promise<void>;
  remove(service: string, id: string): Promise<void>;
}

function startReader(url: string): RedisReader {
  const store = createRedisStore({ config: { url } });
  const ignored: string[] = [];
  const refused: string[] = [];
  const states: boolean[] = [];
  let movedMs = 0;
  const registry = createRedisRegistry({
    link: meshLink(store),
    periodMs: 1000,
    now: () => performance.now() + movedMs,
    onState: (isUp) => void states.push(isUp),
    onIgnored: (service, { id, reason }) => void ignored.push(`${service} ${id} ${reason}`),
    onRefused: (service) => void refused.push(service),
  });
  return {
    registry,
    ignored,
    refused,
    states,
    move: (ms) => {
      movedMs += ms;
    },
    async [Symbol.asyncDispose]() {
      registry.close();
      await store.close();
    },
  };
}

/** Starts a Redis and a registry that reads there. */
export async function startRedisWorld(): Promise<RedisWorld> {
  const redis = await startRedis();
  const reader = startReader(redis.url);
  return {
    ...reader,
    redis,
    another: () => startReader(redis.url),
    add: async (service, id, json, leftMs = 60_000) => {
      await redis.cli("SADD", "torii:mesh:services", service);
      await redis.cli("HSET", `torii:mesh:{${service}}:endpoints`, id, json);
      await redis.cli("ZADD", `torii:mesh:{${service}}:leases`, String(Date.now() + leftMs), id);
      await redis.cli("PUBLISH", "torii:mesh:changes", service);
    },
    remove: async (service, id) => {
      await redis.cli("ZREM", `torii:mesh:{${service}}:leases`, id);
      await redis.cli("HDEL", `torii:mesh:{${service}}:endpoints`, id);
      await redis.cli("PUBLISH", "torii:mesh:changes", service);
    },
    async [Symbol.asyncDispose]() {
      await reader[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}
