import type { EndpointLoad, EndpointSpec } from "../registry/registry.ts";
import type { Pool, PoolOptions } from "../wire/endpoint-pool.ts";
import { H2Pool } from "../wire/h2/upstream-pool.ts";
import { PassagePool } from "../wire/l4/passage-pool.ts";
import { UpstreamPool } from "../wire/pool.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { DialTls } from "../wire/tls/dial-tls.ts";
import type { PendingBound } from "../wire/waiting.ts";
import type { ServiceOptions } from "./options.ts";

/** What a registry tells of an endpoint beside its address, and may tell anew. */
export interface EndpointFacts {
  readonly weight: number;
  readonly zone: string | null;
  readonly version: string | null;
  readonly tags: readonly string[];
  /** Null: it reports none. */
  readonly load: EndpointLoad | null;
}

/**
 * One address of a service and its connections, which outlive configurations and registry updates. Frozen: what the
 * registry tells anew makes another object with the same pool, by which everyone knows the endpoint.
 */
export interface Endpoint extends EndpointFacts {
  readonly id: string;
  readonly url: string;
  /** Host and port, as a request without a Host of its own names it. */
  readonly authority: string;
  readonly pool: Pool;
  /** Connections beside the pool's, whose bytes are passed as they are. */
  readonly passages: PassagePool;
}

export interface Origin {
  /** IPv6 addresses stand without brackets. */
  readonly hostname: string;
  readonly port: number;
  readonly isSecure: boolean;
}

export interface EndpointDeps {
  readonly wheel: TimerWheel;
  /** What the service's endpoints with an `https` URL are dialled with; asked for when there is one. */
  readonly tls: () => DialTls;
  /** Bounds the service's requests that wait for a connection; none unless given. */
  readonly pending?: PendingBound | null;
}

/** What `http://host:port` or `https://host:port` leads to, or null when the text is no such URL. */
export function parseOrigin(url: string): Origin | null {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || (parsed.protocol !== "http:" && parsed.protocol !== "https:")) return null;
  if (parsed.pathname !== "/" || parsed.search !== "" || parsed.username !== "" || parsed.hash !== "") return null;
  const hostname = parsed.hostname.replace(/^\[|\]$/g, "");
  const isSecure = parsed.protocol === "https:";
  const port = parsed.port === "" ? (isSecure ? 443 : 80) : Number(parsed.port);
  return hostname === "" ? null : { hostname, port, isSecure };
}

/** An endpoint with no connection yet, or null when its URL is none that the service's protocol can be spoken to. */
export function createEndpoint(spec: EndpointSpec, options: ServiceOptions, deps: EndpointDeps): Endpoint | null {
  const origin = parseOrigin(spec.url);
  if (origin === null) return null;
  const { hostname, port, isSecure } = origin;
  // What one speaks over TLS alone, and the other in the clear alone.
  if (options.protocol === (isSecure ? "h2c" : "h2")) return null;
  const { connectMs, idleMs } = options.timeouts;
  const { maxConnections, protocol } = options;
  const pool = createPool(origin, { connectMs, idleMs, maxConnections }, { ...deps, protocol });
  const passages = new PassagePool({ hostname, port, connectMs, maxConnections, wheel: deps.wheel });
  const { id, url } = spec;
  return Object.freeze({ id, url, authority: new URL(url).host, pool, passages, ...factsOf(spec) });
}

/** The same endpoint, of which the registry may tell something else now. */
export function toldAnew(endpoint: Endpoint, spec: EndpointSpec): Endpoint {
  return Object.freeze({ ...endpoint, ...factsOf(spec) });
}

const NO_TAGS: readonly string[] = Object.freeze([]);

function factsOf({ weight, zone, version, tags, load }: EndpointSpec): EndpointFacts {
  return { weight, zone: zone ?? null, version: version ?? null, tags: tags ?? NO_TAGS, load: load ?? null };
}

/** No connection yet to an endpoint that speaks this protocol. */
export function createPool(
  { hostname, port, isSecure }: Origin,
  bounds: Pick<PoolOptions, "connectMs" | "idleMs" | "maxConnections">,
  { protocol, wheel, tls, pending = null }: EndpointDeps & Pick<ServiceOptions, "protocol">,
): Pool {
  const AnyPool = protocol === "http1" ? UpstreamPool : H2Pool;
  return new AnyPool({ ...bounds, hostname, port, wheel, pending, tls: isSecure ? tls() : null });
}
