import type { Logger } from "pino";
import type { LoadChange } from "../service/load-reports.ts";
import type { Service } from "../service/service.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { createLogBound } from "./log-bound.ts";
import { newestSamples, oneSample } from "./newest-samples.ts";

export interface SelectionMetricsDeps {
  readonly metrics: Pick<Metrics, "collect">;
  readonly log: Pick<Logger, "info" | "warn">;
  /** All services in use; asked at each scrape. */
  readonly services: () => readonly Service[];
  /** Milliseconds of any steady clock. */
  readonly nowMs?: () => number;
}

/**
 * Registers the families that tell which endpoints are used, and gives what logs each change of an overload once: of
 * one service's only so many a minute, as endpoints may waver as fast as they can write.
 */
export function createSelectionMetrics(deps: SelectionMetricsDeps): (change: LoadChange) => void {
  const { metrics, log, services, nowMs = () => performance.now() } = deps;
  const onMore = (service: string, more: number) => log.warn({ service, more }, "further changes of endpoints' load");
  const mayLog = createLogBound({ nowMs, onMore });
  metrics.collect({
    name: "torii_endpoints_absent",
    help: "Endpoints of a service that are out now, by reason; one may be out for several.",
    labels: ["service", "reason"],
    type: "gauge",
    read: () =>
      newestSamples(services(), ({ absences }) =>
        [...absences()].map(([reason, value]) => ({ labels: [reason], value })),
      ),
  });
  metrics.collect({
    name: "torii_zone_share",
    help: "Part of a service's requests that stays in the gateway's zone now, 0 to 1.",
    labels: ["service"],
    type: "gauge",
    read: () => newestSamples(services(), ({ zoneShare }) => oneSample(zoneShare)),
  });
  return ({ service, endpoint, isOverloaded, load }) => {
    if (!mayLog(service)) return;
    const facts = { service, endpoint, cpu: load?.cpu ?? null, memory: load?.memory ?? null };
    if (isOverloaded) log.warn(facts, "endpoint overloaded: it reports too much load");
    else log.info(facts, "endpoint recovered from its load");
  };
}
