import { isWeight, LONGEST_ID, MAX_WEIGHT, MOST_JSON_BYTES, originOf } from "../../packages/mesh/src/record.ts";
import type { MeshRecord } from "./mesh-read.ts";
import type { EndpointLoad, EndpointSpec } from "./registry.ts";

/** Why an endpoint in Redis is not used. */
export type IgnoredReason =
  | "no_record"
  | "malformed"
  | "too_large"
  | "bad_url"
  | "bad_field"
  | "duplicate"
  | "lease_over";

/** An endpoint that is not used, with what is wrong and what would be right. */
export interface IgnoredEndpoint {
  readonly id: string;
  readonly reason: IgnoredReason;
  readonly detail: string;
}

const BAD_LOAD =
  "its load must be cpu and memory from 0 to 1, and inFlight from 0: { cpu: 0.5, memory: 0.3, inFlight: 12 }";
const TOO_LARGE = `its entry is too large; write at most ${MOST_JSON_BYTES} bytes`;
const LONG_ID = `its id is too long; take one of at most ${LONGEST_ID} characters`;

function fieldsOf(json: string): ReadonlyMap<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : null;
  } catch {
    return null;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** A burst may pass the whole a little; what says 85 means per cent. */
const MOST_SHARE = 2;

function share(value: unknown): number | null {
  return isAmount(value) && value <= MOST_SHARE ? Math.min(1, value) : null;
}

/** What an endpoint tells of its load; null when that is something else. Fields that nobody knows here are passed over. */
function loadOf(value: unknown): EndpointLoad | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const fields = new Map<string, unknown>(Object.entries(value));
  const [cpu, memory, inFlight] = ["cpu", "memory", "inFlight"].map((name) => fields.get(name) ?? null);
  const [cpuShare, memoryShare] = [share(cpu), share(memory)];
  const load = {
    ...(cpuShare === null ? {} : { cpu: cpuShare }),
    ...(memoryShare === null ? {} : { memory: memoryShare }),
    ...(isAmount(inFlight) ? { inFlight } : {}),
  };
  const given = [cpu, memory, inFlight].filter((amount) => amount !== null);
  return Object.keys(load).length === given.length ? Object.freeze(load) : null;
}

/** The endpoint that stands in Redis, or why it is not used. Fields that nobody knows here are passed over. */
export function endpointOf({ id, json }: Pick<MeshRecord, "id" | "json">): EndpointSpec | IgnoredEndpoint {
  const ignored = (reason: IgnoredReason, detail: string): IgnoredEndpoint => ({ id, reason, detail });
  if (json === null) return ignored("no_record", "it has a lease and no entry among the endpoints; write that first");
  if (typeof json === "number") return ignored("too_large", TOO_LARGE);
  if (id.length > LONGEST_ID) return { ...ignored("bad_field", LONG_ID), id: `${id.slice(0, LONGEST_ID)}…` };
  const fields = fieldsOf(json);
  if (fields === null) return ignored("malformed", 'it is no JSON object; write {"url":"http://host:port"}');
  const url = fields.get("url");
  const origin = isText(url) ? originOf(url) : null;
  if (origin === null) return ignored("bad_url", "its url leads nowhere; write http://host:port without a path");
  const weight = fields.get("weight") ?? 1;
  if (!isWeight(weight)) return ignored("bad_field", `its weight must be a whole number from 0 to ${MAX_WEIGHT}`);
  const [zone, version, tags] = [fields.get("zone") ?? null, fields.get("version") ?? null, fields.get("tags") ?? null];
  if (zone !== null && !isText(zone)) return ignored("bad_field", "its zone must be a text");
  if (version !== null && !isText(version)) return ignored("bad_field", "its version must be a text");
  if (tags !== null && !isTexts(tags)) return ignored("bad_field", "its tags must be a list of texts");
  const said = fields.get("load") ?? null;
  const load = said === null ? null : loadOf(said);
  if (said !== null && load === null) return ignored("bad_field", BAD_LOAD);
  return Object.freeze({
    id,
    url: origin,
    weight,
    ...(zone === null ? {} : { zone }),
    ...(version === null ? {} : { version }),
    ...(tags === null ? {} : { tags: Object.freeze([...tags]) }),
    ...(load === null ? {} : { load }),
  });
}

/** What can be used of a service, by id, and what cannot. Of two endpoints with one URL the lower id is used. */
export function endpointsOf(records: readonly MeshRecord[]): {
  readonly used: readonly EndpointSpec[];
  readonly ignored: readonly IgnoredEndpoint[];
} {
  const used: EndpointSpec[] = [];
  const ignored: IgnoredEndpoint[] = [];
  const owners = new Map<string, string>();
  for (const record of records.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const endpoint = endpointOf(record);
    const owner = "reason" in endpoint ? undefined : owners.get(endpoint.url);
    if ("reason" in endpoint) ignored.push(endpoint);
    else if (owner === undefined) {
      owners.set(endpoint.url, endpoint.id);
      used.push(endpoint);
    } else {
      const detail = `its url is that of endpoint ${JSON.stringify(owner)} already; remove one of them`;
      ignored.push({ id: endpoint.id, reason: "duplicate", detail });
    }
  }
  return { used, ignored };
}
