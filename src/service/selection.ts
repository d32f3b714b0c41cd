import { now } from "../wire/event.ts";
import { type Absence, type Availability, createAvailability } from "./availability.ts";
import type { Endpoint, EndpointDeps } from "./endpoint.ts";
import { createHealthChecks, type HealthChecks, type HealthObserver } from "./health-checks.ts";
import { createProbe } from "./health-probe.ts";
import { createLoadReports, type LoadChange } from "./load-reports.ts";
import type { ServiceOptions, SubsetSelector } from "./options.ts";
import { createSubset, type Subset } from "./subset.ts";

/** Which endpoints of a service, and of its subsets, get requests now. */
export interface Selection {
  /** Where reasons against an endpoint are told. */
  readonly availability: Availability;
  /** All endpoints of the service. */
  readonly whole: Subset;
  /** The parts of them that are open. */
  readonly subsets: readonly Subset[];
  /** Those of all that get requests. */
  readonly used: readonly Endpoint[];
  /** True while too few of all are available, so that all are used. */
  readonly isPanic: boolean;
  /** Which pass their health checks; null where none are made. */
  readonly isHealthy: ((endpoint: Endpoint) => boolean) | null;
  /** What checks know of an endpoint, null before its first; null where none are made. */
  readonly healthOf: HealthChecks["stateOf"] | null;
  /** How many of all are out, for each reason that the service knows of; one may be out for several. */
  absences(): ReadonlyMap<Absence, number>;
  /** A part of the endpoints, kept up to date until it is dropped. */
  open(selector: SubsetSelector): Subset;
  drop(subset: Subset): void;
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
  /** Told of endpoints that report too much load, or no longer. */
  readonly onLoad: (change: LoadChange) => void;
}

/** No endpoints yet: `update` gives it some. */
export function createSelection(deps: SelectionDeps): Selection {
  const { service, options, random, observer, onLoad: onChange } = deps;
  const { slowStartMs } = options;
  let all: readonly Endpoint[] = [];
  let isUpdating = false;
  const subsets = new Set<Subset>();
  const availability = createAvailability(() => {
    // Of a set whose reports are read it is chosen once, at the end.
    if (!isUpdating) for (const subset of subsets) subset.refresh();
  });
  const open = (selector: SubsetSelector | null): Subset => {
    const onPanic = (subset: string, isPanic: boolean) => observer?.panicked(service, isPanic, subset);
    const subset = createSubset({ selector, options, availability, onPanic, random, nowMs: now, slowStartMs });
    subset.update(all);
    subsets.add(subset);
    return subset;
  };
  const whole = open(null);
  const checks = checksOf(deps, availability);
  const { maxLoad } = options;
  const reports = maxLoad === null ? null : createLoadReports(maxLoad, { service, availability, onChange });
  const known = reasonsOf(options);
  return {
    availability,
    whole,
    get subsets() {
      return [...subsets].filter((subset) => subset !== whole);
    },
    get used() {
      return whole.used;
    },
    get isPanic() {
      return whole.isPanic;
    },
    isHealthy: checks === null ? null : (endpoint) => !availability.isOut(endpoint, "unhealthy"),
    healthOf: checks === null ? null : checks.stateOf,
    absences: () =>
      new Map(known.map((reason) => [reason, all.filter((one) => availability.isOut(one, reason)).length])),
    open,
    drop: (subset) => void subsets.delete(subset),
    update(endpoints) {
      all = endpoints;
      isUpdating = true;
      reports?.update(endpoints);
      isUpdating = false;
      for (const subset of subsets) subset.update(endpoints);
      checks?.update(endpoints);
    },
    close: () => checks?.close(),
  };
}

function reasonsOf({ health, outliers, maxLoad }: ServiceOptions): readonly Absence[] {
  const parts = { unhealthy: health, ejected: outliers, overloaded: maxLoad } as const;
  return (["unhealthy", "ejected", "overloaded"] as const).filter((reason) => parts[reason] !== null);
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
