import { CHANGES_CHANNEL, SERVICES_KEY, serviceKeys } from "./mesh-keys.ts";
import type { MeshLink, MeshScript } from "./mesh-link.ts";
import { type MeshRecord, readService } from "./mesh-read.ts";
import type { EndpointSpec } from "./registry.ts";

/** Writes endpoints into Redis. Its functions reject as the link does. */
export interface MeshWriter {
  /**
   * Writes an endpoint, or all of it anew, with a lease of so many milliseconds from now by Redis's clock. Others are
   * told when the endpoint is new or has changed.
   */
  register(service: string, endpoint: EndpointSpec, leaseMs: number): Promise<void>;
  /** Takes an endpoint out, and says whether it was there. */
  deregister(service: string, id: string): Promise<boolean>;
  /** Names of services, sorted; some may have no endpoint any more. */
  services(): Promise<readonly string[]>;
  /** The endpoints of a service whose leases run, by id. */
  endpoints(service: string): Promise<readonly MeshRecord[]>;
}

/** KEYS: leases, endpoints; ARGV: id, JSON, length of the lease. Answers 1 when others must be told. */
const REGISTER: MeshScript = {
  name: "mesh-register",
  lua: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
local held = redis.call('HGET', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[3])), ARGV[1])
if held == ARGV[2] and ends and tonumber(ends) > now then return 0 end
return 1`,
};

/** KEYS: leases, endpoints; ARGV: id. Answers how much of it was there, and how many endpoints are left. */
const DEREGISTER: MeshScript = {
  name: "mesh-deregister",
  lua: `
local gone = redis.call('ZREM', KEYS[1], ARGV[1]) + redis.call('HDEL', KEYS[2], ARGV[1])
return { gone, redis.call('HLEN', KEYS[2]) }`,
};

const ADD_NAME: MeshScript = { name: "mesh-add-name", lua: "return redis.call('SADD', KEYS[1], ARGV[1])" };
const REMOVE_NAME: MeshScript = { name: "mesh-remove-name", lua: "return redis.call('SREM', KEYS[1], ARGV[1])" };
const NAMES: MeshScript = { name: "mesh-names", lua: "return redis.call('SMEMBERS', KEYS[1])" };

function textsOf(reply: unknown): readonly string[] {
  return Array.isArray(reply) ? reply.map(String).toSorted() : [];
}

/** Makes the writer; whoever lends the link closes it. */
export function createMeshWriter(link: MeshLink): MeshWriter {
  const onName = (script: MeshScript, args: readonly string[]) => link.run(script, { keys: [SERVICES_KEY], args });

  async function register(service: string, { id, ...record }: EndpointSpec, leaseMs: number): Promise<void> {
    const args = [id, JSON.stringify(record), String(Math.ceil(leaseMs))];
    const isNews = (await link.run(REGISTER, { keys: serviceKeys(service), args })) === 1;
    // Each time: whoever took the last endpoint out may have removed the name just now.
    await onName(ADD_NAME, [service]);
    if (isNews) await link.publish(CHANGES_CHANNEL, service);
  }

  async function deregister(service: string, id: string): Promise<boolean> {
    const reply = await link.run(DEREGISTER, { keys: serviceKeys(service), args: [id] });
    const [gone, left]: readonly unknown[] = Array.isArray(reply) ? reply : [];
    if (left === 0) await onName(REMOVE_NAME, [service]);
    if (gone !== 0) await link.publish(CHANGES_CHANNEL, service);
    return gone !== 0;
  }

  return {
    register,
    deregister,
    services: async () => textsOf(await onName(NAMES, [])),
    endpoints: async (service) =>
      (await readService(link, service, "")).live.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  };
}
