import type { RedisProcess } from "../../test/support/redis.ts";

/** Forgets what was called so far. */
export async function resetCalls(redis: RedisProcess): Promise<void> {
  await redis.cli("config", "resetstat");
}

/** Scripts that clients had run since, and the microseconds of Redis for each. What scripts call is not counted. */
export async function scriptCalls(
  redis: RedisProcess,
): Promise<{ readonly calls: number; readonly usPerCall: number }> {
  const text = await redis.cli("info", "commandstats");
  let calls = 0;
  let us = 0;
  for (const [, count, micros] of text.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+),usec=(\d+)/gm)) {
    calls += Number(count);
    us += Number(micros);
  }
  return { calls, usPerCall: calls === 0 ? 0 : us / calls };
}
