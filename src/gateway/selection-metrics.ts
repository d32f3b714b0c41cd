import type { Logger } from "pino";
import type { LoadChange } from "../service/load-reports.ts";
import type { Service } from "../service/service.ts";
import type { Sample } from "../telemetry/family.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export interface SelectionMetricsDeps {
  readonly metrics: Pick<Metrics, "collect">;
  readonly log: Pick<Logger, "info" | "warn">;
  /** All services in use; asked at each scrape. */
  readonly services: () => readonly Service[];
}

/** Registers the families that tell which endpoints are used, and gives what logs each change of an overload once. */
export function createSelectionMetrics({ metrics, log, services }: SelectionMetricsDeps): (change: LoadChange) => void {
  metrics.collect({
    name: "torii_endpoints_absent",
    help: "Endpoints of a service that are out now, by reason; one may be out for several.",
    labels: ["service", "reason"],
    type: "gauge",
    read: () => newest(services(), ({ absences }) => [...absences()]),
  });
  metrics.collect({
    name: "torii_zone_share",
    help: "Part of a service's requests that stays in the gateway's zone now, 0 to 1.",
    labels: ["service"],
    type: "gauge",
    read: () => newest(services(), ({ zoneShare }) => (zoneShare === null ? [] : [["", zoneShare]])),
  });
  return ({ service, endpoint, isOverloaded, load }) => {
    const facts = { service, endpoint, cpu: load?.cpu ?? null, memory: load?.memory ?? null };
    if (isOverloaded) log.warn(facts, "endpoint overloaded: it reports too much load");
    else log.info(facts, "endpoint recovered from its load");
  };
}

/** While a service is in use with old options and new ones, what the newer says. A label that is "" is left out. */
function newest(
  services: readonly Service[],
  valuesOf: (service: Service) => readonly (readonly [label: string, value: number])[],
): Iterable<Sample> {
  const found = new Map<string, Sample>();
  for (const service of services) {
    const { name } = service;
    for (const [label, value] of valuesOf(service))
      found.set(`${name} ${label}`, { labels: label === "" ? [name] : [name, label], value });
  }
  return found.values();
}
