import { GatewayError } from "../errors.ts";
import { durationText } from "../telemetry/duration.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import type { Passage } from "../wire/l4/passage.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { PendingBound } from "../wire/waiting.ts";
import type { Availability } from "./availability.ts";
import { Breaker, type BreakerReport, type BreakerState } from "./breaker.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ServiceOptions } from "./options.ts";
import { createOutlierDetector, type EjectionState, type OutlierDetector } from "./outlier-detector.ts";
import { PassageTrial } from "./passage-trial.ts";
import { Trial } from "./trial.ts";
import type { Decided, VerdictParts } from "./verdicts.ts";

type Facts = Readonly<Record<string, string>>;

/** `open`: it fails; `full`: it has as many requests as it may have; `pending_full`: too many wait for a connection. */
export type Refusal = "open" | "full" | "pending_full";

/** Told of what guards do, as it happens. */
export interface GuardHooks {
  onEjected(service: string): void;
  onReturned(service: string): void;
  /** The breaker's state is another. */
  onChanged(service: string, state: BreakerState): void;
  /** The breaker kept a request out. */
  onRefused(service: string, reason: Refusal): void;
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
  /** Lets a request in, or says why it is refused, and notes that on it. */
  enter(exchange: Exchange): Trial | GatewayError;
  /** The same for a connection that is passed on as it is. */
  admit(passage: Passage): PassageTrial | GatewayError;
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
  const { service, hooks } = deps;
  const onFull = () => hooks?.onRefused(service, "pending_full");
  const ask = (asker: Decided): VerdictParts | GatewayError => {
    const permit = breaker === null ? null : breaker.enter();
    if (!(permit instanceof GatewayError)) return { service, permit, outliers, onFull };
    const reason: Refusal = permit.code === "circuit_open" ? "open" : "full";
    asker.decided("circuit_breaker", reason, service);
    hooks?.onRefused(service, reason);
    return permit;
  };
  return {
    enter(exchange) {
      const parts = ask(exchange);
      return parts instanceof GatewayError ? parts : new Trial(exchange, parts);
    },
    admit(passage) {
      const parts = ask(passage);
      return parts instanceof GatewayError ? parts : new PassageTrial(passage, parts);
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
      deps.onWarning("endpoint ejected", { service, endpoint, cause, for: durationText(forMs) });
    },
    onReturned(endpoint) {
      hooks?.onReturned(service);
      hooks?.onNotice("endpoint returned", { service, endpoint });
    },
  });
}

function breakerOf({ breaker }: ServiceOptions, { service, onWarning, hooks }: GuardDeps): Breaker | null {
  if (breaker === null) return null;
  return new Breaker(breaker, {
    nowMs: now,
    onChange(state) {
      const facts = { service, state };
      hooks?.onChanged(service, state);
      if (state === "open") onWarning("circuit breaker changed", facts);
      else hooks?.onNotice("circuit breaker changed", facts);
    },
  });
}
