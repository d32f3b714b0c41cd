import { serviceKeys } from "../../packages/mesh/src/keys.ts";
import { MOST_JSON_BYTES } from "../../packages/mesh/src/record.ts";
import { markKey } from "./mesh-keys.ts";
import type { MeshLink, MeshScript } from "./mesh-link.ts";

/** An endpoint whose lease ended so long ago is removed from Redis; until then a renewed lease brings it back. */
export const SWEPT_AFTER_MS = 10_000;

/** A service with more is not read: what would follow from it could not be served. */
export const MOST_ENDPOINTS = 20_000;
/** Nor is one whose ids and entries are more: Redis would hold everybody up while it answers. */
export const MOST_BYTES = 16 * 1024 * 1024;
/** Of an id that nobody may have, and of a mark that no gateway left, so much is enough to tell. */
const ID_BYTES = 2048;
const MARK_BYTES = 64;

/**
 * KEYS: leases, endpoints, mark; ARGV: how long a lease must have been over before its endpoint is removed, and a mark
 * to be left where there is none, or "". The mark stays a day after it was last seen, give or take half of one.
 * Answers Redis's clock, the ids that were removed, the mark that stands, then id, JSON (null where there is none, its length where it is too long), and end of its lease of each that lives; an error where there are too many. `unpack` takes
 * some thousands at most.
 */
const READ: MeshScript = {
  name: "mesh-read",
  lua: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local over = string.format('%.0f', now - tonumber(ARGV[1]))
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', over, 'LIMIT', 0, 1000)
if #dead > 0 then
  redis.call('ZREM', KEYS[1], unpack(dead))
  redis.call('HDEL', KEYS[2], unpack(dead))
end
local mark = string.sub(redis.call('GET', KEYS[3]) or ARGV[2], 1, ${MARK_BYTES})
if ARGV[2] ~= '' and redis.call('PTTL', KEYS[3]) < 43200000 then redis.call('SET', KEYS[3], mark, 'PX', 86400000) end
local alive = '(' .. string.format('%.0f', now)
if redis.call('ZCOUNT', KEYS[1], alive, '+inf') > ${MOST_ENDPOINTS} then
  return redis.error_reply('TOOMANY it has more than ${MOST_ENDPOINTS} endpoints, which are the most that are used')
end
local live = redis.call('ZRANGEBYSCORE', KEYS[1], alive, '+inf', 'WITHSCORES')
for at, id in ipairs(dead) do dead[at] = string.sub(id, 1, ${ID_BYTES}) end
local reply = { now, dead, mark }
local bytes = 0
for from = 1, #live, 1000 do
  local ids = {}
  for at = from, math.min(from + 999, #live), 2 do ids[#ids + 1] = live[at] end
  for at, json in ipairs(redis.call('HMGET', KEYS[2], unpack(ids))) do
    local id = string.sub(ids[at], 1, ${ID_BYTES})
    if json and #json > ${MOST_JSON_BYTES} then json = #json end
    bytes = bytes + #id + (type(json) == 'string' and #json or 0)
    if bytes > ${MOST_BYTES} then
      return redis.error_reply('TOOMANY its endpoints are more than ${MOST_BYTES} bytes, which are the most that are read')
    end
    reply[#reply + 1] = id
    reply[#reply + 1] = json
    reply[#reply + 1] = live[from + 2 * at - 1]
  end
end
return reply`,
};

/** An endpoint whose lease runs, as it stands in Redis. */
export interface MeshRecord {
  readonly id: string;
  /** Null: there is a lease and nothing that it is for. A number is the length in bytes of what is too long to be read. */
  readonly json: string | number | null;
  /** Milliseconds that its lease has left, above 0. */
  readonly leftMs: number;
}

/** All of one service at one moment. */
export interface MeshReading {
  readonly live: readonly MeshRecord[];
  /** Ids that were removed by this reading, as their leases were over. */
  readonly swept: readonly string[];
  /** Another one than before: Redis was emptied since. "" when nobody left one. */
  readonly mark: string;
}

/**
 * Reads a service, and removes what is over; `newMark`, one never used before, is left where there is none, unless it
 * is "". Rejects as the link does, and for an answer that cannot be.
 */
export async function readService(link: MeshLink, service: string, newMark: string): Promise<MeshReading> {
  const keys = [...serviceKeys(service), markKey(service)];
  const reply = await link.run(READ, { keys, args: [String(SWEPT_AFTER_MS), newMark] });
  const [nowAt, swept, mark, ...rest]: readonly unknown[] = Array.isArray(reply) ? reply : [];
  if (typeof nowAt !== "number" || !Array.isArray(swept)) throw new Error("Redis gave no reading of the registry");
  const live: MeshRecord[] = [];
  for (let at = 0; at < rest.length; at += 3) {
    const json = rest[at + 1];
    const endsAt = Number(rest[at + 2]);
    live.push({
      id: String(rest[at]),
      json: typeof json === "string" || typeof json === "number" ? json : null,
      // Redis writes "inf" for a lease without an end.
      leftMs: Number.isNaN(endsAt) ? Number.POSITIVE_INFINITY : endsAt - nowAt,
    });
  }
  return { live, swept: swept.map(String), mark: String(mark ?? "") };
}
