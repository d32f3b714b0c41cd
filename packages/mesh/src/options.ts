import { isClient, type RedisSource } from "./client.ts";
import { idOf, isWeight, LONGEST_ID, MAX_WEIGHT, type MeshEndpoint, MOST_JSON_BYTES, originOf } from "./record.ts";

/** What can be changed while an endpoint is in the mesh. */
export interface EndpointChanges {
  /** Share of traffic against the others; 0 takes none. */
  readonly weight?: number;
  readonly zone?: string;
  readonly version?: string;
  readonly tags?: readonly string[];
}

/** What an endpoint is as it joins. */
export interface EndpointOptions extends EndpointChanges {
  /** The name of the service in the gateways' configuration. */
  readonly service: string;
  /** Where gateways reach this endpoint: `http://host:port` or `https://host:port`, without a path. */
  readonly url: string;
  /** Unique within the service; host and port of the URL when absent. */
  readonly id?: string;
  /** How long the endpoint is used after the last sign of life; 15 000 when absent, 1000 at least. */
  readonly ttlMs?: number;
  /** Stands before all keys; `torii:` when absent. What the gateways' configuration says. */
  readonly prefix?: string;
}

/** All that has been checked. */
export interface CheckedOptions {
  readonly service: string;
  readonly endpoint: MeshEndpoint;
  readonly leaseMs: number;
  readonly prefix: string;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const PREFIX = "torii:";
const LEASE_MS = 15_000;
const SHORTEST_LEASE_MS = 1000;

function check(isRight: boolean, what: string, given: unknown, wanted: string): void {
  if (!isRight) throw new TypeError(`${what} ${JSON.stringify(given)} is wrong; write ${wanted}`);
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

/** Changes as they are written; what is undefined is left out. Throws a TypeError. */
export function checkChanges({ weight, zone, version, tags }: EndpointChanges): EndpointChanges {
  check(weight === undefined || isWeight(weight), "weight", weight, `a whole number from 0 to ${MAX_WEIGHT}`);
  check(zone === undefined || isText(zone), "zone", zone, 'a name, for example "eu-1"');
  check(version === undefined || isText(version), "version", version, 'a name, for example "v2"');
  check(tags === undefined || (Array.isArray(tags) && tags.every(isText)), "tags", tags, 'a list such as ["canary"]');
  return {
    ...(weight === undefined ? {} : { weight }),
    ...(zone === undefined ? {} : { zone }),
    ...(version === undefined ? {} : { version }),
    ...(tags === undefined ? {} : { tags: [...tags] }),
  };
}

/** Where Redis is, if that is said. Throws a TypeError, which does not show a password. */
export function checkRedis(redis: RedisSource): void {
  if (typeof redis === "string") {
    if (/^rediss?:\/\//.test(redis) && URL.canParse(redis)) return;
    throw new TypeError("redis is no URL of a Redis; write redis://user:password@host:6379");
  }
  if (typeof redis !== "object" || redis === null) {
    throw new TypeError("redis is missing; write a URL, options of ioredis, or a client of ioredis");
  }
  if (isClient(redis)) return;
  if ("cluster" in redis) throw new TypeError("redis has no option cluster; write new Cluster([…]) of ioredis");
}

/** Beside what is said here a load is written, which is small. */
const LOAD_BYTES = 128;

/** Throws a TypeError for more than gateways read. */
export function checkSize(endpoint: MeshEndpoint): void {
  if (Buffer.byteLength(JSON.stringify(endpoint)) <= MOST_JSON_BYTES - LOAD_BYTES) return;
  throw new TypeError(`the endpoint is too large; write at most ${MOST_JSON_BYTES} bytes, its tags included`);
}

/** What is said of an endpoint, checked. Throws a TypeError that says what would be right. */
export function checkOptions(options: EndpointOptions): CheckedOptions {
  const { service, url, ttlMs = LEASE_MS, prefix = PREFIX } = options;
  check(typeof service === "string" && NAME.test(service), "service", service, 'a name such as "catalog"');
  const origin = typeof url === "string" ? originOf(url) : null;
  check(origin !== null, "url", url, "http://host:port without a path");
  const id = options.id ?? idOf(url);
  const isId = isText(id) && (id ?? "").length <= LONGEST_ID;
  check(isId, "id", id, `a text that is unique within the service, of at most ${LONGEST_ID} characters`);
  const isLease = Number.isFinite(ttlMs) && ttlMs >= SHORTEST_LEASE_MS;
  check(isLease, "ttlMs", ttlMs, `milliseconds, ${SHORTEST_LEASE_MS} or more`);
  // Braces would move the part of a key that decides where in a Cluster it stands.
  check(
    typeof prefix === "string" && !/[{}]/.test(prefix),
    "prefix",
    prefix,
    'a text without braces, such as "torii:"',
  );
  const endpoint = { id: id ?? "", url: origin ?? "", weight: 1, ...checkChanges(options) };
  checkSize(endpoint);
  return { service, endpoint, leaseMs: ttlMs, prefix };
}
