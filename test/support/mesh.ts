import type { RedisProcess } from "./redis.ts";

/** How a test writes into the registry. */
export interface MeshWriting {
  /** 60 s unless given. */
  readonly leaseMs?: number;
  /** `torii:` unless given. */
  readonly prefix?: string;
  /** Beside the URL. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** The lines of docs/mesh.md, each by `redis-cli`: an endpoint of the service `shop` on the loopback address. */
export async function joinShop(redis: RedisProcess, id: string, port: number, how: MeshWriting = {}): Promise<void> {
  const json = JSON.stringify({ url: `http://127.0.0.1:${port}`, ...how.fields });
  await writeShop(redis, id, json, how);
}

/** The same with JSON of its own. */
export async function writeShop(redis: RedisProcess, id: string, json: string, how: MeshWriting = {}): Promise<void> {
  const { leaseMs = 60_000, prefix = "torii:" } = how;
  const [seconds = "", micros = ""] = (await redis.cli("TIME")).split("\n");
  const nowMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  await redis.cli("SADD", `${prefix}mesh:services`, "shop");
  await redis.cli("HSET", `${prefix}mesh:{shop}:endpoints`, id, json);
  await redis.cli("ZADD", `${prefix}mesh:{shop}:leases`, String(nowMs + leaseMs), id);
  await redis.cli("PUBLISH", `${prefix}mesh:changes`, "shop");
}

/** Takes an endpoint of the service `shop` out. */
export async function leaveShop(redis: RedisProcess, id: string): Promise<void> {
  await redis.cli("ZREM", "torii:mesh:{shop}:leases", id);
  await redis.cli("HDEL", "torii:mesh:{shop}:endpoints", id);
  await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
}
