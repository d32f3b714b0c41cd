import type { EndpointSpec } from "../registry/registry.ts";
import type { ServiceOptions } from "../service/options.ts";
import { addFault, type Building } from "./building.ts";
import { below, checkPart, placeOf, type Spot, type ValueFault, without } from "./check.ts";
import { breakerOptions } from "./circuit-breaker.ts";
import { concurrencyOptions } from "./concurrency.ts";
import { dnsSource, namedTls } from "./dns-config.ts";
import { endpointFacts } from "./endpoint-facts.ts";
import { healthChecking } from "./health-check.ts";
import { balancing } from "./load-balancing.ts";
import { outlierOptions } from "./outlier-detection.ts";
import { type ServiceDocument, serviceSchema } from "./service-schema.ts";
import { checkSchemes, upstreamTls } from "./service-tls.ts";
import type { TlsReading } from "./tls-config.ts";
import type { ServiceConfig } from "./types.ts";
import { quote } from "./wording.ts";

function hostOf(url: string): string {
  return url.slice(url.indexOf("//") + 2);
}

function endpointsOf(
  written: ServiceDocument,
  spot: Spot,
  building: Pick<Building, "issues">,
): readonly EndpointSpec[] {
  const seen = new Map<string, number>();
  return (written.endpoints ?? []).map(({ url, weight, id = hostOf(url), ...facts }, index) => {
    const first = seen.get(id);
    if (first === undefined) seen.set(id, index);
    else {
      const message = `${quote(id)} is endpoint ${first} already; remove one of them, or give each an id of its own`;
      addFault(building, below(spot, "endpoints", index), message);
    }
    return { id, url, weight, ...endpointFacts(facts) };
  });
}

function checkDiscovery(written: ServiceDocument, spot: Spot, building: Pick<Building, "issues">): void {
  const hasEndpoints = written.endpoints !== undefined;
  if (written.discover === "static" && !hasEndpoints) {
    addFault(
      building,
      below(spot, "discover"),
      '"static" needs endpoints; write endpoints: [{ url: http://host:port }]',
    );
  }
  const discover = written.discover ?? (written.dns === undefined ? "static" : "dns");
  if (discover !== "static" && hasEndpoints) {
    addFault(
      building,
      below(spot, "endpoints"),
      `stand beside discover: ${discover}; write discover: static or remove them`,
    );
  }
}

/** Where the endpoints come from. Those that are written down are meant to be used. */
function discoveryOf(
  written: ServiceDocument,
  spot: Spot,
  { stored: { redis }, knowsRedis, vetting }: Pick<TlsReading, "stored" | "knowsRedis" | "vetting">,
): Pick<ServiceOptions, "discover" | "redis" | "dns"> {
  const dns = dnsSource(written, spot, vetting);
  if (dns !== undefined) return { discover: "dns", dns };
  const own = written.endpoints === undefined ? (redis === null ? "memory" : "redis") : "static";
  const discover = written.discover ?? own;
  if (discover !== "redis") return { discover };
  if (redis !== null) return { discover, redis };
  // A faulty `redis` has its own fault.
  if (knowsRedis) {
    addFault(vetting, below(spot, "discover"), '"redis" needs redis in torii.yaml; set it there, or write memory');
  }
  return { discover };
}

/**
 * Adds the faults that parts of a service have among themselves, where the service has others: of a part with a fault
 * nothing more is said, nor of what depends on it.
 */
export function checkSoundParts(
  value: unknown,
  faults: readonly ValueFault[],
  { spot, building }: { readonly spot: Spot; readonly building: Pick<Building, "issues"> },
): void {
  const faulty = new Set<unknown>(faults.map(({ path }) => path[0]));
  const rest = checkPart(serviceSchema, without(value, faulty), spot);
  if (faulty.has(undefined) || !rest.isValid) return;
  const { data } = rest;
  const isSound = (...keys: readonly (keyof ServiceDocument)[]) => !keys.some((key) => faulty.has(key));
  const protocol = isSound("protocol") ? data.protocol : "h2";
  if (isSound("discover", "endpoints", "dns")) checkDiscovery(data, spot, building);
  endpointsOf(data, spot, building);
  if (isSound("loadBalancing"))
    balancing(data.loadBalancing, below(spot, "loadBalancing"), { vetting: building, zone: null });
  healthChecking(data.healthCheck, { spot: below(spot, "healthCheck"), protocol }, building);
  breakerOptions(data.circuitBreaker, below(spot, "circuitBreaker"), building);
  concurrencyOptions(data.concurrency, below(spot, "concurrency"), building);
}

/** A service as it is written at `spot`, whose last key is its name; null is one with every default. */
export function serviceConfig(
  written: ServiceDocument,
  spot: Spot,
  reading: Pick<TlsReading, "pem" | "vetting" | "zone" | "stored" | "knowsRedis">,
): ServiceConfig {
  const building = reading.vetting;
  checkDiscovery(written, spot, building);
  checkSchemes(written, spot, reading);
  const discovery = discoveryOf(written, spot, reading);
  const tls = upstreamTls(written.tls, below(spot, "tls"), reading);
  return {
    name: String(spot.path.at(-1)),
    options: {
      ...discovery,
      endpoints: endpointsOf(written, spot, building),
      ...balancing(written.loadBalancing, below(spot, "loadBalancing"), reading),
      health: healthChecking(
        written.healthCheck,
        { spot: below(spot, "healthCheck"), protocol: written.protocol },
        building,
      ),
      maxConnections: written.maxConnections ?? 0,
      timeouts: {
        connectMs: written.timeouts.connect,
        responseMs: written.timeouts.response,
        idleMs: written.timeouts.idle,
      },
      protocol: written.protocol,
      tls: discovery.dns === undefined ? tls : namedTls(tls, discovery.dns),
      proxyProtocol: written.proxyProtocol ?? null,
      outliers: outlierOptions(written.outlierDetection),
      breaker: breakerOptions(written.circuitBreaker, below(spot, "circuitBreaker"), building),
      concurrency: concurrencyOptions(written.concurrency, below(spot, "concurrency"), building),
    },
    source: placeOf(spot),
  };
}
