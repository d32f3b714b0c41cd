import type { EndpointSpec } from "../registry/registry.ts";
import { UpstreamPool } from "../wire/pool.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { ServiceOptions } from "./options.ts";

/** One address of a service and its connections, which outlive configurations and registry updates. */
export interface Endpoint {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
  /** Host and port, as a request without a Host of its own names it. */
  readonly authority: string;
  readonly pool: UpstreamPool;
}

/** Host and port of `http://host:port`, or null when the text is no such URL. IPv6 hosts come without brackets. */
export function parseOrigin(url: string): { hostname: string; port: number } | null {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || parsed.protocol !== "http:") return null;
  if (parsed.pathname !== "/" || parsed.search !== "" || parsed.username !== "" || parsed.hash !== "") return null;
  const hostname = parsed.hostname.replace(/^\[|\]$/g, "");
  return hostname === "" ? null : { hostname, port: parsed.port === "" ? 80 : Number(parsed.port) };
}

/** An endpoint with no connection yet, or null when its URL is none that can be forwarded to. */
export function createEndpoint(spec: EndpointSpec, options: ServiceOptions, wheel: TimerWheel): Endpoint | null {
  const origin = parseOrigin(spec.url);
  if (origin === null) return null;
  const pool = new UpstreamPool({
    ...origin,
    connectMs: options.timeouts.connectMs,
    idleMs: options.timeouts.idleMs,
    maxConnections: options.maxConnections,
    wheel,
    tls: null,
  });
  return { id: spec.id, url: spec.url, weight: spec.weight, authority: new URL(spec.url).host, pool };
}
