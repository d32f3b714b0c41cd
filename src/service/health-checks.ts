import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { Availability } from "./availability.ts";
import type { Endpoint } from "./endpoint.ts";
import { HealthCheck, type HealthState, type Probe, type Verdict } from "./health-check.ts";
import type { HealthCheckOptions } from "./health-options.ts";

/** Hears what the checks of all services find. */
export interface HealthObserver {
  checked(service: string, result: Verdict["result"]): void;
  /** Once for each change; `reason` says why, "" when it is healthy. */
  changed(change: HealthChange): void;
  /** All endpoints of the service, or of a subset that has a name, are used, as too few are available; or no longer. */
  panicked(service: string, isPanic: boolean, subset: string): void;
}

export interface HealthChange {
  readonly service: string;
  readonly endpoint: string;
  readonly isHealthy: boolean;
  readonly reason: string;
}

/** The checks of a service's endpoints. */
export interface HealthChecks {
  /** Those that joined are checked from now on, those that left no longer; the others go on as they were. */
  update(endpoints: readonly Endpoint[]): void;
  /** Null for an endpoint that is not checked. */
  stateOf(endpoint: Endpoint): HealthState | null;
  /** Ends all, those under way too. */
  close(): void;
}

export interface HealthChecksDeps {
  readonly service: string;
  readonly options: HealthCheckOptions;
  readonly probeFor: (endpoint: Endpoint) => Probe | null;
  readonly availability: Availability;
  readonly wheel: TimerWheel;
  readonly random: () => number;
  /** Null: nobody hears. */
  readonly observer: HealthObserver | null;
}

/** No checks yet: `update` gives them endpoints. */
export function createHealthChecks(deps: HealthChecksDeps): HealthChecks {
  let checks = new Map<Endpoint["pool"], HealthCheck>();
  return {
    update(endpoints) {
      const next = new Map<Endpoint["pool"], HealthCheck>();
      const joined = endpoints.filter(({ pool }) => !checks.has(pool));
      for (const { pool } of endpoints) {
        const known = checks.get(pool);
        if (known !== undefined) next.set(pool, known);
        checks.delete(pool);
      }
      for (const left of checks.values()) left.stop();
      checks = next;
      for (const endpoint of joined) {
        const probe = deps.probeFor(endpoint);
        if (probe !== null) checks.set(endpoint.pool, started(endpoint, probe, deps));
      }
    },
    stateOf: ({ pool }) => checks.get(pool)?.state ?? null,
    close() {
      for (const check of checks.values()) check.stop();
      checks.clear();
    },
  };
}

function started(endpoint: Endpoint, probe: Probe, deps: HealthChecksDeps): HealthCheck {
  const { service, options, wheel, random, availability, observer } = deps;
  const check = new HealthCheck({
    options,
    wheel,
    random,
    probe,
    onVerdict: ({ result }) => observer?.checked(service, result),
    onChange(isHealthy, { reason }) {
      observer?.changed({ service, endpoint: endpoint.id, isHealthy, reason });
      if (isHealthy) availability.restore(endpoint, "unhealthy");
      else availability.remove(endpoint, "unhealthy");
    },
  });
  check.start();
  return check;
}
