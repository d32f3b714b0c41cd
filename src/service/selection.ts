import { type Availability, createAvailability, usable } from "./availability.ts";
import type { Endpoint, EndpointDeps } from "./endpoint.ts";
import type { HealthState } from "./health-check.ts";
import { createHealthChecks, type HealthChecks, type HealthObserver } from "./health-checks.ts";
import { createProbe } from "./health-probe.ts";
import type { ServiceOptions } from "./options.ts";

/** Which endpoints of a service get requests now. */
export interface Selection {
  /** Where reasons against an endpoint are told. */
  readonly availability: Availability;
  /** Those that get requests. */
  readonly used: readonly Endpoint[];
  /** True while too few are available, so that all are used. */
  readonly isPanic: boolean;
  /** Which pass their health checks; null where none are made. */
  readonly isHealthy: ((endpoint: Endpoint) => boolean) | null;
  /** What the checks of an endpoint found; null where none are made. */
  readonly healthOf: ((endpoint: Endpoint) => HealthState | null) | null;
  /** Takes the registry's set. */
  update(endpoints: readonly Endpoint[]): void;
  /** Ends the health checks. */
  close(): void;
}

export interface SelectionDeps {
  readonly service: string;
  readonly options: ServiceOptions;
  /** What health checks open their connections with. */
  readonly probeDeps: EndpointDeps;
  readonly random: () => number;
  /** Null: nobody hears. */
  readonly observer: HealthObserver | null;
  /** Called with the new set whenever it changed. */
  readonly onUsed: (endpoints: readonly Endpoint[]) => void;
}

/** No endpoints yet: `update` gives it some. */
export function createSelection(deps: SelectionDeps): Selection {
  const { service, options, observer } = deps;
  let all: readonly Endpoint[] = [];
  let used = all;
  let isPanic = false;
  const select = () => {
    const was = isPanic;
    ({ endpoints: used, isPanic } = usable(all, availability, options.panicPercent));
    deps.onUsed(used);
    if (isPanic !== was) observer?.panicked(service, isPanic);
  };
  const availability = createAvailability(select);
  const checks = checksOf(deps, availability);
  return {
    availability,
    get used() {
      return used;
    },
    get isPanic() {
      return isPanic;
    },
    isHealthy: checks === null ? null : (endpoint) => !availability.isOut(endpoint, "unhealthy"),
    healthOf: checks === null ? null : checks.stateOf,
    update(endpoints) {
      all = endpoints;
      select();
      checks?.update(endpoints);
    },
    close: () => checks?.close(),
  };
}

function checksOf(deps: SelectionDeps, availability: Availability): HealthChecks | null {
  const { service, options, probeDeps, random, observer } = deps;
  const { health } = options;
  if (health === null) return null;
  return createHealthChecks({
    service,
    options: health,
    probeFor: (endpoint) => createProbe(endpoint, { health, service: options, deps: probeDeps }),
    availability,
    wheel: probeDeps.wheel,
    random,
    observer,
  });
}
