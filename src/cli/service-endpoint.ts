import { idOf, originOf } from "../../packages/mesh/src/record.ts";
import { durationMs, nameText } from "../config/scalars.ts";
import { weight } from "../config/service-schema.ts";
import { UsageError } from "./command.ts";
import type { KeptEndpoint } from "./service-lease.ts";

/** What the command line says of an endpoint. */
export interface EndpointWords {
  readonly id?: string | undefined;
  readonly weight?: string | undefined;
  readonly zone?: string | undefined;
  readonly version?: string | undefined;
  readonly tag?: readonly string[] | undefined;
  readonly ttl: string;
}

/** The name of a service as it stands in a configuration. Throws a UsageError. */
export function serviceName(text: string | undefined): string {
  const name = nameText("a service", "catalog").safeParse(text);
  if (name.success) return name.data;
  throw new UsageError(text === undefined ? "NAME is missing" : `NAME ${name.error.issues[0]?.message ?? ""}`);
}

function leaseOf(ttl: string): number {
  const lease = durationMs.safeParse(ttl);
  if (lease.success && lease.data >= 1000) return lease.data;
  throw new UsageError(`--ttl ${JSON.stringify(ttl)} is no lease; write 1s or longer, for example 15s`);
}

function weightOf(text: string): number {
  const parsed = weight.safeParse(/^\d+$/.test(text) ? Number(text) : text);
  if (parsed.success) return parsed.data;
  throw new UsageError(`--weight ${parsed.error.issues[0]?.message ?? ""}`);
}

/** The endpoint to be kept. Throws a UsageError that says what would be right. */
export function keptEndpoint(name: string | undefined, url: string | undefined, words: EndpointWords): KeptEndpoint {
  const service = serviceName(name);
  if (url === undefined) throw new UsageError("URL is missing");
  const origin = originOf(url);
  const id = idOf(url);
  if (origin === null || id === null) {
    throw new UsageError(`${JSON.stringify(url)} is no URL of an endpoint; write http://host:port without a path`);
  }
  const endpoint = {
    id: words.id ?? id,
    url: origin,
    weight: weightOf(words.weight ?? "1"),
    ...(words.zone === undefined ? {} : { zone: words.zone }),
    ...(words.version === undefined ? {} : { version: words.version }),
    ...(words.tag === undefined ? {} : { tags: words.tag }),
  };
  return { service, endpoint, leaseMs: leaseOf(words.ttl) };
}
