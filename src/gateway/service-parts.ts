import type { Logger } from "pino";
import type { Registry } from "../registry/registry.ts";
import type { ServiceOptions } from "../service/options.ts";
import type { Service } from "../service/service.ts";
import { createServices, type Services } from "../service/services.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import { createConcurrencyMetrics } from "./concurrency-metrics.ts";
import { createGuardMetrics } from "./guard-metrics.ts";
import { createHealthMetrics } from "./health-metrics.ts";
import { createSelectionMetrics } from "./selection-metrics.ts";

export interface ServicePartsDeps {
  readonly metrics: Metrics;
  readonly wheel: TimerWheel;
  readonly log: Logger;
  readonly random: () => number;
  readonly registryFor: (options: ServiceOptions, name: string) => Registry;
}

/** The directory of services, with its metrics and its lines in the log. */
export function createServiceParts({ metrics, wheel, log, random, registryFor }: ServicePartsDeps): Services {
  const retries = metrics.counter({
    name: "torii_retries_total",
    help: "Retries by their outcome, and those that the budget or the route's deadline did not allow.",
    labels: ["service", "result"],
  });
  const hedges = metrics.counter({
    name: "torii_hedges_total",
    help: "Attempts beside one that did not answer, by their outcome, and those that were not made.",
    labels: ["service", "result"],
  });
  const services: Services = createServices({
    wheel,
    random,
    registryFor,
    onWarning: (message, facts) => log.warn(facts, message),
    health: createHealthMetrics({ metrics, log, services: () => services.list() }),
    guardHooks: createGuardMetrics({
      metrics,
      services: () => services.list(),
      onNotice: (message, facts) => log.info(facts, message),
    }),
    concurrencyHooks: createConcurrencyMetrics({ metrics, services: () => services.list() }),
    onLoad: createSelectionMetrics({ metrics, log, services: () => services.list() }),
    onRetry: (service, result) => retries.of(service, result).add(),
    onHedge: (service, result) => hedges.of(service, result).add(),
  });
  metrics.collect({
    name: "torii_upstream_connections",
    help: "Connections to the endpoints of a service that are open.",
    labels: ["service"],
    type: "gauge",
    read: () => services.list().map((service) => ({ labels: [service.name], value: openConnections(service) })),
  });
  return services;
}

function openConnections(service: Service): number {
  return service.endpoints.reduce((sum, { passages, pool }) => sum + pool.openConnections + passages.open, 0);
}
