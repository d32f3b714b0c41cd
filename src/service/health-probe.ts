import { Dialing } from "../wire/dialing.ts";
import type { Endpoint, EndpointDeps } from "./endpoint.ts";
import { createPool, parseOrigin } from "./endpoint.ts";
import type { Probe } from "./health-check.ts";
import type { HealthCheckOptions } from "./health-options.ts";
import { HttpProbe } from "./health-probe-http.ts";
import { TcpProbe } from "./health-probe-tcp.ts";
import type { ServiceOptions } from "./options.ts";

/** Soon after a check its connection is closed: one that is kept proves nothing about new ones. */
const IDLE_MS = 1;

export interface ProbeParts {
  readonly health: HealthCheckOptions;
  readonly service: ServiceOptions;
  readonly deps: EndpointDeps;
}

/**
 * What checks an endpoint, each time on a fresh connection that is none of the endpoint's pool: the load and the bounds
 * there are those of requests. Null when the endpoint's URL leads nowhere.
 */
export function createProbe(endpoint: Pick<Endpoint, "url" | "authority">, parts: ProbeParts): Probe | null {
  const origin = parseOrigin(endpoint.url);
  if (origin === null) return null;
  const { health, service, deps } = parts;
  const { wheel } = deps;
  const { timeoutMs } = health;
  if (health.type === "tcp") {
    const { hostname, port } = origin;
    const dialing = new Dialing({ hostname, port, connectMs: timeoutMs, wheel, tls: null }, () => {});
    return { begin: (told) => new TcpProbe({ dialing, timeoutMs, wheel, told }).start(), close() {} };
  }
  const bounds = { connectMs: timeoutMs, idleMs: IDLE_MS, maxConnections: 0 };
  const pool = createPool(origin, bounds, { ...deps, protocol: service.protocol });
  const authority = health.host ?? endpoint.authority;
  return {
    begin: (told) => new HttpProbe({ pool, authority, health, timeoutMs, wheel, told }).start(),
    close: () => pool.close(),
  };
}
