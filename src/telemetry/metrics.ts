import {
  type CollectedOptions,
  type CounterFamily,
  createCollectedFamily,
  createCounterFamily,
  createGaugeFamily,
  type FamilyOptions,
  type GaugeFamily,
  type Rendered,
} from "./family.ts";
import { createGatewayEvents, type GatewayEvents } from "./gateway-events.ts";
import { createHistogram, type Slot } from "./histogram.ts";
import { renderProcessFacts } from "./process-facts.ts";

export interface MetricsOptions {
  /** Milliseconds since 1970; the system's clock unless given. */
  readonly now?: () => number;
  /** Shown in `torii_build_info`. */
  readonly version: string;
  /** Routes, and service-route pairs, that are told apart; what is over goes to `other`. 1,000 unless given. */
  readonly maxNames?: number;
  /** Series of one histogram; what is over goes to `other`. 5,000 unless given. */
  readonly maxSeries?: number;
}

/** All metrics of one process. Nothing is to be closed. */
export interface Metrics {
  /** Where to count requests of a route, by its name; null for requests that no route took. Taken once, at compile. */
  routeSlot(route: string | null): Slot;
  /** Where to count attempts on a service; the route is null where it is not known. */
  serviceSlot(service: string, route: string | null): Slot;
  readonly events: GatewayEvents;
  /** A family of one's own. Throws a TypeError for an invalid name and for one that is taken. */
  counter(options: FamilyOptions): CounterFamily;
  gauge(options: FamilyOptions): GaugeFamily;
  /** A family whose values are read at each scrape. */
  collect(options: CollectedOptions): void;
  /** All families in Prometheus text format 0.0.4. Rejects only when a `read` throws. */
  render(): Promise<string>;
}

interface Bounds {
  readonly maxSlots: number;
  readonly maxSeries: number;
}

function serverHistogram(bounds: Bounds) {
  const name = "http_server_request_duration_seconds";
  return createHistogram({
    name,
    help: "Duration of requests, from the parsed head to the last byte of the response.",
    labels: ["http_route"],
    ...bounds,
  });
}

function clientHistogram(bounds: Bounds) {
  const name = "http_client_request_duration_seconds";
  return createHistogram({
    name,
    help: "Duration of attempts on services.",
    labels: ["http_route", "service"],
    ...bounds,
  });
}

function createFamilies() {
  const families = new Map<string, Rendered>();

  function add<T extends Rendered>(name: string, family: T): T {
    if (families.has(name)) throw new TypeError(`metric ${name} exists already`);
    families.set(name, family);
    return family;
  }

  return {
    counter: (options: FamilyOptions): CounterFamily => add(options.name, createCounterFamily(options)),
    gauge: (options: FamilyOptions): GaugeFamily => add(options.name, createGaugeFamily(options)),
    collect: (options: CollectedOptions): void => {
      add(options.name, createCollectedFamily(options));
    },
    add,
    all: () => families.values(),
  };
}

/** The process's metrics, with the HTTP, `torii_*` and `process_*` families in place. */
export function createMetrics(options: MetricsOptions): Metrics {
  const bounds = { maxSlots: options.maxNames ?? 1000, maxSeries: options.maxSeries ?? 5000 };
  const families = createFamilies();
  const { counter, gauge, collect } = families;
  const server = families.add("http_server_request_duration_seconds", serverHistogram(bounds));
  const client = families.add("http_client_request_duration_seconds", clientHistogram(bounds));
  const events = createGatewayEvents(families, options.now ?? Date.now);
  gauge({ name: "torii_build_info", help: "1, with the version that runs.", labels: ["version"] })
    .of(options.version)
    .set(1);

  async function render(): Promise<string> {
    const pieces: string[] = [];
    for (const family of families.all()) pieces.push(await family.render());
    pieces.push(await renderProcessFacts());
    return pieces.join("");
  }

  return {
    // An empty label is the same as none to Prometheus, which is what OpenTelemetry asks where no route matched.
    routeSlot: (route) => server.slot(route ?? ""),
    serviceSlot: (service, route) => client.slot(route ?? "", service),
    events,
    counter,
    gauge,
    collect,
    render,
  };
}
