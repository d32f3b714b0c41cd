import type { ConcurrencyHooks } from "../service/concurrency.ts";
import { PRIORITIES } from "../service/concurrency-queue.ts";
import type { Service } from "../service/service.ts";
import type { Sample } from "../telemetry/family.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { newestSamples, oneSample } from "./newest-samples.ts";

export interface ConcurrencyMetricsDeps {
  readonly metrics: Pick<Metrics, "collect" | "counter">;
  /** All services in use; asked at each scrape. */
  readonly services: () => readonly Service[];
}

type Limited = NonNullable<Service["concurrency"]>;

/** Registers the families of services' limits, and gives what counts in them. */
export function createConcurrencyMetrics({ metrics, services }: ConcurrencyMetricsDeps): ConcurrencyHooks {
  collectState({ metrics, services });
  const waits = metrics.counter({
    name: "torii_concurrency_waits_total",
    help: "Requests that waited in a service's queue and were served.",
    labels: ["service", "priority"],
  });
  const waited = metrics.counter({
    name: "torii_concurrency_wait_seconds_total",
    help: "Time that those requests waited, together.",
    labels: ["service", "priority"],
  });
  const sheds = metrics.counter({
    name: "torii_concurrency_sheds_total",
    help: "Requests that a service was not asked for, as it had all that it can do.",
    labels: ["service", "reason"],
  });
  return {
    onWaited(service, priority, waitedMs) {
      waits.of(service, priority).add();
      waited.of(service, priority).add(waitedMs / 1000);
    },
    onShed: (service, reason) => sheds.of(service, reason).add(),
  };
}

function collectState({ metrics, services }: ConcurrencyMetricsDeps): void {
  metrics.collect({
    name: "torii_concurrency_limit",
    help: "Requests that a service may have in flight.",
    labels: ["service"],
    type: "gauge",
    read: () => newestSamples(services(), ({ concurrency }) => oneSample(concurrency?.limit ?? null)),
  });
  metrics.collect({
    name: "torii_concurrency_min_rtt_seconds",
    help: "Response time of a service in no hurry, which its limit is judged by.",
    labels: ["service"],
    type: "gauge",
    read: () => newestSamples(services(), ({ concurrency }) => oneSample(baseSeconds(concurrency))),
  });
  metrics.collect({
    name: "torii_concurrency_in_flight",
    help: "Requests of a service that count against its limit.",
    labels: ["service"],
    type: "gauge",
    read: () => of(services(), (name, { inFlight }) => [{ labels: [name], value: inFlight }]),
  });
  metrics.collect({
    name: "torii_concurrency_queue_length",
    help: "Requests that wait in a service's queue.",
    labels: ["service", "priority"],
    type: "gauge",
    read: () => of(services(), (name, one) => PRIORITIES.map((p) => ({ labels: [name, p], value: one.waiting(p) }))),
  });
}

function of(services: readonly Service[], read: (name: string, one: Limited) => readonly Sample[]): Iterable<Sample> {
  return services.flatMap(({ name, concurrency }) => (concurrency === null ? [] : read(name, concurrency)));
}

/** Null: not known. */
function baseSeconds(concurrency: Service["concurrency"]): number | null {
  return concurrency === null || concurrency.baseMs === 0 ? null : concurrency.baseMs / 1000;
}
