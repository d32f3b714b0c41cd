import { isRedisUrl } from "../config/redis-address.ts";
import { loadConfig } from "../config/source.ts";
import { meshLink } from "../gateway/mesh.ts";
import type { MeshLink } from "../registry/mesh-link.ts";
import { createRedisStore } from "../store/redis.ts";
import type { RedisTarget } from "../store/redis-target.ts";
import type { CommandContext } from "./command.ts";

const NONE = "there is no Redis; set redis in torii.yaml, or REDIS_URL";

/** The Redis of the configuration, or of `REDIS_URL` where that names none. Throws an Error when neither does. */
async function redisOf(config: string | undefined, context: CommandContext): Promise<RedisTarget> {
  const loaded = await loadConfig({
    path: config ?? null,
    // Routes are none of its business, nor their faults.
    routeFiles: [],
    env: context.env,
    cwd: context.cwd,
    openCatalog: context.openCatalog,
    readCertificate: "skipped",
  });
  if (loaded.config.redis !== null) return loaded.config.redis;
  const url = context.env["REDIS_URL"] ?? "";
  if (url === "") throw new Error(NONE);
  if (!isRedisUrl(url)) throw new Error("REDIS_URL is no URL of a Redis; write redis://user:password@host:6379");
  return { url };
}

/** Runs a step over the registry in Redis, and leaves it. */
export async function withMesh<Result>(
  config: string | undefined,
  context: CommandContext,
  step: (link: MeshLink) => Promise<Result>,
): Promise<Result> {
  const store = createRedisStore({ config: await redisOf(config, context) });
  try {
    return await step(meshLink(store));
  } finally {
    await store.close();
  }
}
