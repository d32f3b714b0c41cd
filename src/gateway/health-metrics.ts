import type { Logger } from "pino";
import type { HealthObserver } from "../service/health-checks.ts";
import type { Service } from "../service/service.ts";
import type { Sample } from "../telemetry/family.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export interface HealthMetricsDeps {
  readonly metrics: Pick<Metrics, "collect" | "counter">;
  readonly log: Pick<Logger, "info" | "warn">;
  /** All services in use; asked at each scrape. */
  readonly services: () => readonly Service[];
}

/** Registers the families of health checks, and gives what counts in them and logs each change once. */
export function createHealthMetrics({ metrics, log, services }: HealthMetricsDeps): HealthObserver {
  const checks = metrics.counter({
    name: "torii_health_checks_total",
    help: "Health checks of a service's endpoints, by result.",
    labels: ["service", "result"],
  });
  const panics = metrics.counter({
    name: "torii_service_panics_total",
    help: "Times that too few endpoints of a service were available, so that all were used.",
    labels: ["service"],
  });
  metrics.collect({
    name: "torii_endpoint_healthy",
    help: "1 while an endpoint passes its health checks, 0 while it does not.",
    labels: ["service", "endpoint"],
    type: "gauge",
    read: () => healthOf(services()),
  });
  return {
    checked: (service, result) => checks.of(service, result).add(),
    changed({ service, endpoint, isHealthy, reason }) {
      if (isHealthy) log.info({ service, endpoint }, "endpoint healthy");
      else log.warn({ service, endpoint, reason }, "endpoint unhealthy");
    },
    panicked(service, isPanic, subset) {
      const facts = subset === "" ? { service } : { service, subset };
      if (!isPanic) {
        log.info(facts, "enough endpoints are available again");
        return;
      }
      panics.of(service).add();
      log.warn(facts, "too few endpoints are available: all are used");
    },
  };
}

/** While a configuration changes there may be two services of a name: one that fails for either is not healthy. */
function healthOf(services: readonly Service[]): Iterable<Sample> {
  const found = new Map<string, Sample>();
  for (const { name, endpoints, isHealthy } of services) {
    if (isHealthy === null) continue;
    for (const endpoint of endpoints) {
      const key = `${name} ${endpoint.id}`;
      const value = isHealthy(endpoint) ? Math.min(1, found.get(key)?.value ?? 1) : 0;
      found.set(key, { labels: [name, endpoint.id], value });
    }
  }
  return found.values();
}
