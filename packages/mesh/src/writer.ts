import { CHANGES_CHANNEL, SERVICES_KEY, serviceKeys } from "./keys.ts";
import type { MeshEndpoint } from "./record.ts";

/** A step in Redis that nobody can come in between: Lua that sees `KEYS` and `ARGV`. */
export interface LinkScript {
  /** For messages. */
  readonly name: string;
  readonly lua: string;
}

export interface LinkCall {
  /** Without their prefix. All have one `{tag}`. */
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** What writing asks of Redis. Whoever lends it puts a prefix before all keys, and closes it. */
export interface WriteLink {
  /** What the script answers. Rejects when Redis is away or says no. */
  run(script: LinkScript, call: LinkCall): Promise<unknown>;
}

/** How an endpoint is written. */
export interface LeaseTerms {
  /** Milliseconds from now, by Redis's clock. */
  readonly leaseMs: number;
  /** If this is what stands there, only its load changes and nobody needs to be told at once. */
  readonly replaced?: MeshEndpoint | null;
}

/** Writes endpoints into Redis: the one way in which Torii and services do it. Its functions reject as the link does. */
export interface MeshWriter {
  /**
   * Writes an endpoint, or all of it anew, with a new lease. Others are told when the endpoint is new or has changed.
   * Resolves with whether they were. Never call it again before it has settled: nothing may queue up.
   */
  register(service: string, endpoint: MeshEndpoint, terms: LeaseTerms): Promise<boolean>;
  /** Takes an endpoint out, tells others, and says whether it was there. */
  deregister(service: string, id: string): Promise<boolean>;
}

/**
 * Who is told stands before what is told. The prefix of the channel is that of the first key, which only the link
 * knows: ARGV[1] is that key without it, ARGV[2] the channel without it, ARGV[3] the service.
 */
const TELL = "redis.call('PUBLISH', string.sub(KEYS[1], 1, #KEYS[1] - #ARGV[1]) .. ARGV[2], ARGV[3])";

/**
 * KEYS: leases, endpoints; ARGV from the fourth on: id, JSON, length of the lease, JSON that may be replaced without a
 * word or "". Answers 1 when others were told.
 */
const REGISTER: LinkScript = {
  name: "mesh-register",
  lua: `
local id, json, length, replaced = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = redis.call('ZSCORE', KEYS[1], id)
local held = redis.call('HGET', KEYS[2], id)
redis.call('HSET', KEYS[2], id, json)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + length), id)
local isKnown = held == json or (held and held ~= '' and held == replaced)
if isKnown and ends and tonumber(ends) > now then return 0 end
${TELL}
return 1`,
};

/** KEYS: leases, endpoints; ARGV[4]: id. Answers how much of it was there, and how many endpoints are left. */
const DEREGISTER: LinkScript = {
  name: "mesh-deregister",
  lua: `
local gone = redis.call('ZREM', KEYS[1], ARGV[4]) + redis.call('HDEL', KEYS[2], ARGV[4])
if gone > 0 then ${TELL} end
return { gone, redis.call('HLEN', KEYS[2]) }`,
};

const ADD_NAME: LinkScript = { name: "mesh-add-name", lua: "return redis.call('SADD', KEYS[1], ARGV[1])" };
const REMOVE_NAME: LinkScript = { name: "mesh-remove-name", lua: "return redis.call('SREM', KEYS[1], ARGV[1])" };

function jsonOf({ id: _id, ...record }: MeshEndpoint): string {
  return JSON.stringify(record);
}

/** Waits for both, so that nothing is under way after it, and fails as the first that failed. */
async function both(first: Promise<unknown>, second: Promise<unknown>): Promise<unknown> {
  const [one, two] = await Promise.allSettled([first, second]);
  for (const result of [one, two]) if (result.status === "rejected") throw result.reason;
  return one.status === "fulfilled" ? one.value : null;
}

/** Makes the writer; whoever lends the link closes it. */
export function createMeshWriter(link: WriteLink): MeshWriter {
  function onService(script: LinkScript, service: string, args: readonly string[]): Promise<unknown> {
    const keys = serviceKeys(service);
    return link.run(script, { keys, args: [keys[0], CHANGES_CHANNEL, service, ...args] });
  }

  function onName(script: LinkScript, service: string): Promise<unknown> {
    return link.run(script, { keys: [SERVICES_KEY], args: [service] });
  }

  return {
    register: async (service, endpoint, { leaseMs, replaced = null }) => {
      const known = replaced === null ? "" : jsonOf(replaced);
      const args = [endpoint.id, jsonOf(endpoint), String(Math.ceil(leaseMs)), known];
      // The name each time, in the same round trip: whoever took the last endpoint out may have removed it just now.
      return (await both(onService(REGISTER, service, args), onName(ADD_NAME, service))) === 1;
    },
    deregister: async (service, id) => {
      const reply = await onService(DEREGISTER, service, [id]);
      const [gone, left]: readonly unknown[] = Array.isArray(reply) ? reply : [];
      if (left === 0) await onName(REMOVE_NAME, service);
      return gone !== 0;
    },
  };
}
