import { createHash } from "node:crypto";
import type { RedisClient } from "./redis-client.ts";
import { isUnknownScript } from "./redis-failure.ts";
import { scriptReply } from "./script-reply.ts";
import type { ScriptCall, ScriptReply, StoreScript } from "./store.ts";

type LuaScript = Pick<StoreScript<unknown>, "name" | "lua">;

const DIGESTS = new WeakMap<object, string>();

function digestOf(script: LuaScript): string {
  const known = DIGESTS.get(script);
  if (known !== undefined) return known;
  const digest = createHash("sha1").update(script.lua).digest("hex");
  DIGESTS.set(script, digest);
  return digest;
}

/** Runs a script by its digest, and by its text where Redis does not know it yet, or no longer. */
export async function runScript(
  client: RedisClient,
  script: LuaScript,
  { keys, args }: ScriptCall,
): Promise<ScriptReply> {
  try {
    return scriptReply(await client.evalsha(digestOf(script), keys.length, ...keys, ...args));
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return scriptReply(await client.eval(script.lua, keys.length, ...keys, ...args));
  }
}

/** KEYS: the key; ARGV: whether a value must stand and which, whether one shall stand and which, its expiry or "". */
export const COMPARE_AND_SET: LuaScript = {
  name: "compare-and-set",
  lua: `
local held = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if held ~= ARGV[2] then return 0 end
elseif held then
  return 0
end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
elseif ARGV[5] == '' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
return 1`,
};
