import type { LimitSpec } from "../../src/limit/limit.ts";
import type { Store, StoreScript } from "../../src/store/store.ts";

/**
 * The generic cell rate algorithm as a script: what a gateway without leases asks Redis for each request.
 * KEYS: the theoretical arrival time. ARGV: microseconds for each unit, burst in microseconds.
 */
const GCRA: StoreScript<boolean> = {
  name: "bench-gcra",
  lua: `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local step, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if arrival - now > burst - step then return 0 end
redis.call('SET', KEYS[1], string.format('%.3f', arrival + step), 'PX', math.ceil((arrival + step - now) / 1000) + 1)
return 1`,
  memory: () => {
    throw new Error("this script is for Redis");
  },
  result: (reply) => reply === 1,
};

/** Asks Redis for each request. The promise rejects as the store's do. */
export function createScriptLimiter(store: Store, { name, limit, perMs, burst }: LimitSpec) {
  const stepMicros = (perMs * 1000) / limit;
  const args = [String(stepMicros), String(burst * stepMicros)];
  return (key: string): Promise<boolean> => store.script(GCRA, { keys: [`script:{${name}:${key}}`], args });
}
