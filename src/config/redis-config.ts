import type { RedisDocument } from "./redis-schema.ts";
import type { RedisConfig } from "./types.ts";

/** The Redis that is written; null for none. */
export function redisConfig(written: RedisDocument | undefined): RedisConfig | null {
  if (written === undefined || written === null || written === "") return null;
  if (typeof written === "string") return { url: written };
  if (!("sentinels" in written)) return written;
  return { sentinels: written.sentinels, name: written.name, password: written.password ?? null };
}
