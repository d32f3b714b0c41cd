import { checkPart, locatedFaults } from "../config/check.ts";
import { createPemFiles } from "../config/pem-files.ts";
import { isRedisUrl } from "../config/redis-address.ts";
import { redisConfig } from "../config/redis-config.ts";
import { redisSchema } from "../config/redis-schema.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { meshLink } from "../gateway/mesh.ts";
import type { MeshLink } from "../registry/mesh-link.ts";
import { createRedisStore } from "../store/redis.ts";
import type { RedisTarget } from "../store/redis-target.ts";
import type { CommandContext } from "./command.ts";
import { openOwnFile, topValue } from "./config-part.ts";

const NONE = "there is no Redis; set redis in torii.yaml, or REDIS_URL";

/**
 * The Redis that the gateway's own file names; null: none. What else stands there is no matter: on a service's host the
 * gateway's variables and files are missing. Throws a ConfigError for what is wrong with `redis`.
 */
function configuredRedis(config: string | undefined, { cwd, env }: CommandContext): RedisTarget | null {
  const { document, issues: unread, folder, mask } = openOwnFile({ file: config ?? null, cwd, env });
  const issues: ConfigIssue[] = unread.filter(({ field }) => /^redis(?:[.[]|$)/.test(field));
  const spot = { document, path: ["redis"] };
  const checked = checkPart(redisSchema.optional(), topValue(document, "redis"), spot);
  if (!checked.isValid) issues.push(...locatedFaults(checked.faults, spot));
  const vetting = { issues, warnings: [], nowAt: Date.now(), inForce: new Set<string>(), keepSecret: () => {} };
  const pem = createPemFiles({ folder, cwd, building: { issues } });
  const redis = checked.isValid ? redisConfig(checked.data, spot, { pem, vetting }) : null;
  if (issues.length > 0) throw new ConfigError(issues.map((one) => ({ ...one, message: mask(one.message) })));
  return redis;
}

/** The Redis of the configuration, or of `REDIS_URL` where that names none. Throws an Error when neither does. */
function redisOf(config: string | undefined, context: CommandContext): RedisTarget {
  const redis = configuredRedis(config, context);
  if (redis !== null) return redis;
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
  const store = createRedisStore({ config: redisOf(config, context) });
  try {
    return await step(meshLink(store));
  } finally {
    await store.close();
  }
}
