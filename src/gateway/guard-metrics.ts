import type { BreakerState } from "../service/breaker.ts";
import type { GuardHooks } from "../service/guards.ts";
import type { Service } from "../service/service.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { newestSamples, oneSample } from "./newest-samples.ts";

const STATES: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

export interface GuardMetricsDeps {
  readonly metrics: Metrics;
  /** All services in use; asked at each scrape. */
  readonly services: () => readonly Service[];
  readonly onNotice: GuardHooks["onNotice"];
}

/** Registers the families of outlier detection and circuit breakers, and gives what counts in them. */
export function createGuardMetrics({ metrics, services, onNotice }: GuardMetricsDeps): GuardHooks {
  const ejections = metrics.counter({
    name: "torii_endpoint_ejections_total",
    help: "Times that an endpoint of a service was taken out because it failed.",
    labels: ["service"],
  });
  const returns = metrics.counter({
    name: "torii_endpoint_returns_total",
    help: "Times that an endpoint of a service that was taken out was let in again.",
    labels: ["service"],
  });
  const changes = metrics.counter({
    name: "torii_circuit_breaker_changes_total",
    help: "Times that a service's circuit breaker got into a state.",
    labels: ["service", "state"],
  });
  const refused = metrics.counter({
    name: "torii_circuit_breaker_refused_total",
    help: "Requests that a service's circuit breaker kept out, because it is open or the service is full.",
    labels: ["service", "reason"],
  });
  metrics.collect({
    name: "torii_endpoint_ejected",
    help: "Endpoints of a service that are out now because they failed.",
    labels: ["service"],
    type: "gauge",
    read: () => newestSamples(services(), ({ guards }) => oneSample(guards?.ejected ?? null)),
  });
  metrics.collect({
    name: "torii_circuit_breaker_state",
    help: "Of a service's circuit breaker: 0 closed, 1 half open, 2 open.",
    labels: ["service"],
    type: "gauge",
    read: () => newestSamples(services(), ({ guards }) => oneSample(stateOf(guards?.breakerState ?? null))),
  });
  return {
    onEjected: (service) => ejections.of(service).add(),
    onReturned: (service) => returns.of(service).add(),
    onChanged: (service, state) => changes.of(service, state).add(),
    onRefused: (service, reason) => refused.of(service, reason).add(),
    onNotice,
  };
}

function stateOf(state: BreakerState | null): number | null {
  return state === null ? null : STATES[state];
}
