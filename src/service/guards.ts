import { GatewayError } from "../errors.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { PendingBound } from "../wire/waiting.ts";
import type { Availability } from "./availability.ts";
import { Breaker, type BreakerReport, type BreakerState } from "./breaker.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ServiceOptions } from "./options.ts";
import { createOutlierDetector, type EjectionState, type OutlierDetector } from "./outlier-detector.ts";
import { Trial } from "./trial.ts";

type Facts = Readonly<Record<string, string>>;

/** Told of what guards do, as it happens. */
export interface GuardHooks {
  onEjected(service: string): void;
  onOpened(service: string): void;
  /** A change for the better, for the log. */
  onNotice(message: string, facts: Facts): void;
}

export interface GuardDeps {
  readonly service: string;
  readonly wheel: TimerWheel;
  readonly availability: Availability;
  readonly onWarning: (message: string, facts: Facts) => void;
  readonly hooks: GuardHooks | undefined;
}

/** What keeps requests from a service that fails, and from those of its endpoints that do. */
export interface Guards {
  /** Lets a request in, or says why it is refused. */
  enter(exchange: Exchange): Trial | GatewayError;
  /** The registry's set. */
  update(endpoints: readonly Endpoint[]): void;
  /** Endpoints that are out now. */
  readonly ejected: number;
  /** To be given to the service's pools; null where no breaker is. */
  readonly pending: PendingBound | null;
  /** Null where no breaker is. */
  readonly breakerState: BreakerState | null;
  /** Null for an endpoint that is in. */
  ejectionOf(endpoint: Endpoint): EjectionState | null;
  /** Ejections since the beginning. */
  readonly ejections: number;
  /** Made when somebody asks; null where no breaker is. */
  breakerReport(): BreakerReport | null;
  close(): void;
}

/** Null for a service that asks for neither outlier detection nor a breaker: it pays nothing. */
export function createGuards(options: ServiceOptions, deps: GuardDeps): Guards | null {
  const outliers = outliersOf(options, deps);
  const breaker = breakerOf(options, deps);
  if (outliers === null && breaker === null) return null;
  return {
    enter(exchange) {
      const permit = breaker === null ? null : breaker.enter();
      return permit instanceof GatewayError ? permit : new Trial(exchange, { permit, outliers });
    },
    pending: options.breaker === null ? null : { limit: options.breaker.maxPending, count: 0 },
    update: (endpoints) => outliers?.update(endpoints),
    get ejected() {
      return outliers?.ejected ?? 0;
    },
    get breakerState() {
      return breaker?.state ?? null;
    },
    ejectionOf: (endpoint) => outliers?.ejectionOf(endpoint) ?? null,
    get ejections() {
      return outliers?.ejections ?? 0;
    },
    breakerReport: () => breaker?.report() ?? null,
    close: () => outliers?.close(),
  };
}

function outliersOf({ outliers }: ServiceOptions, deps: GuardDeps): OutlierDetector | null {
  if (outliers === null) return null;
  const { service, wheel, availability, hooks } = deps;
  return createOutlierDetector(outliers, {
    wheel,
    nowMs: now,
    availability,
    onEjected({ endpoint, cause, forMs }) {
      hooks?.onEjected(service);
      deps.onWarning("endpoint ejected", { service, endpoint, cause, for: `${forMs}ms` });
    },
    onReturned: (endpoint) => hooks?.onNotice("endpoint returned", { service, endpoint }),
  });
}

function breakerOf({ breaker }: ServiceOptions, { service, onWarning, hooks }: GuardDeps): Breaker | null {
  if (breaker === null) return null;
  return new Breaker(breaker, {
    nowMs: now,
    onChange(state) {
      const facts = { service, state };
      if (state !== "open") {
        hooks?.onNotice("circuit breaker changed", facts);
        return;
      }
      hooks?.onOpened(service);
      onWarning("circuit breaker changed", facts);
    },
  });
}
