import type { EndpointSpec, Registry } from "../registry/registry.ts";
import type { Receiver } from "../wire/attempt.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import type { Passage } from "../wire/l4/passage.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import { createAnother } from "./another.ts";
import { createAnswering } from "./answering.ts";
import type { Absence } from "./availability.ts";
import { type Concurrency, type ConcurrencyHooks, createConcurrency } from "./concurrency.ts";
import { Connect } from "./connect.ts";
import { type Delay, runtimeDelay } from "./delay.ts";
import type { Endpoint, EndpointDeps } from "./endpoint.ts";
import { createEndpointSet } from "./endpoint-set.ts";
import { createGuards, type GuardHooks, type Guards } from "./guards.ts";
import type { HealthObserver } from "./health-checks.ts";
import type { LoadChange } from "./load-reports.ts";
import type { ForwardPolicy, ServiceOptions, SubsetSelector } from "./options.ts";
import { createRefusals } from "./refusals.ts";
import { createResponsePace } from "./response-pace.ts";
import type { HedgeResult, RetryDeps, RetryResult } from "./retry.ts";
import { createRetryBudget } from "./retry-budget.ts";
import { createSelection } from "./selection.ts";
import { createSending } from "./sending.ts";
import type { Subset } from "./subset.ts";
import { createSubsets } from "./subsets.ts";
import { lazyTls } from "./tls.ts";
import { newTold, type Told, viewOf } from "./view.ts";
import type { ServiceView } from "./view-schema.ts";

/** Where a backend leads: to a service, or to a subset of its endpoints. */
export interface Destination {
  /** Sends the exchange's request to an endpoint; the receiver hears of the response's head or of a failure. */
  forward(exchange: Exchange, policy: ForwardPolicy, receiver: Receiver): void;
  /** Joins the passage with a connection to an endpoint, as it is even where that speaks TLS, or refuses it. */
  connect(passage: Passage): void;
}

/** A named group of endpoints. */
export interface Service extends Destination {
  readonly name: string;
  /** Resolves when the registry told its endpoints for the first time. */
  readonly ready: Promise<void>;
  /** Leads to a part of the endpoints, with the same connections, health, guards and retries; `close` it once. */
  subset(selector: SubsetSelector): Destination & { close(): void };
  /** The present set; replaced, never changed. */
  readonly endpoints: readonly Endpoint[];
  /** Which of them pass their health checks; null where none are made. */
  readonly isHealthy: ((endpoint: Endpoint) => boolean) | null;
  /** True while too few endpoints are available, so that all are used. */
  readonly isPanic: boolean;
  /** How many endpoints are out, for each reason that the service knows of; one may be out for several. */
  absences(): ReadonlyMap<Absence, number>;
  /** The part of the requests that stays in the gateway's zone, 0 to 1; null where zones count for nothing. */
  readonly zoneShare: number | null;
  /** What outlier detection and the breaker found; null where the service has neither. */
  readonly guards: Pick<Guards, "ejected" | "breakerState"> | null;
  /** Its limit and who waits for it; null where requests are not limited so. */
  readonly concurrency: Pick<Concurrency, "limit" | "inFlight" | "baseMs" | "waiting"> | null;
  /** What it shows of itself now. */
  view(): ServiceView;
  /** Stops watching and closes idle connections; what is in flight goes on. */
  close(): void;
}

export interface ServiceDeps {
  readonly registry: Registry;
  readonly wheel: TimerWheel;
  readonly random: () => number;
  /** Told of an endpoint that cannot be used or reached, and of a registry that failed. */
  readonly onWarning: (message: string, facts: Readonly<Record<string, string>>) => void;
  /** Hears what health checks find. */
  readonly health?: HealthObserver;
  /** Hears what guards do. */
  readonly guardHooks?: GuardHooks;
  /** Hears of requests beyond a service's limit. */
  readonly concurrencyHooks?: ConcurrencyHooks;
  /** Told of endpoints that report too much load, or no longer. */
  readonly onLoad?: (change: LoadChange) => void;
  /** Told of every retry's outcome, and of retries that were not allowed. */
  readonly onRetry?: (service: string, result: RetryResult) => void;
  /** Told the same of hedges. */
  readonly onHedge?: (service: string, result: HedgeResult) => void;
  /** For the pauses before retries; the runtime's timers unless given. */
  readonly delay?: Delay;
}

/** A service that follows its registry until it is closed. */
export function createService(name: string, options: ServiceOptions, deps: ServiceDeps): Service {
  const { wheel, random, onWarning, guardHooks: hooks } = deps;
  const tls = lazyTls(options);
  const selection = createSelection({
    service: name,
    options,
    probeDeps: { wheel, tls },
    random,
    observer: deps.health ?? null,
    onLoad: (change) => deps.onLoad?.(change),
  });
  const { availability } = selection;
  const guards = createGuards(options, { service: name, wheel, availability, onWarning, hooks });
  const queueing = { service: name, wheel, onWarning, hooks: deps.concurrencyHooks };
  const concurrency = createConcurrency(options.concurrency, queueing);
  const endpointDeps: EndpointDeps = { wheel, tls, pending: guards?.pending ?? null };
  const onRefused = createRefusals({ service: name, onWarning: deps.onWarning });
  const told = newTold();
  const retries = retriesOf(name, deps, told);
  const shared = { service: name, options, guards, concurrency, onRefused };
  const destinationOf = (subset: Subset): Destination => ({
    forward: createSending({ ...shared, subset, retries: retries(subset) }),
    connect(passage) {
      passage.service = name;
      new Connect(passage, { options, subset, guards, random }).begin();
    },
  });
  const subsets = createSubsets(selection, destinationOf);
  const stopped = new AbortController();
  const endpoints = createEndpointSet({ service: name, options, endpointDeps, onWarning });
  const update = (specs: readonly EndpointSpec[]) => {
    endpoints.update(specs);
    guards?.update(endpoints.current);
    selection.update(endpoints.current);
  };
  const judge = createAnswering({ endpoints: () => endpoints.current, isHealthy: selection.isHealthy });
  const ready = follow(name, deps, { signal: stopped.signal, judge, told, update });
  return {
    name,
    ready,
    ...destinationOf(selection.whole),
    subset: subsets.open,
    get endpoints() {
      return endpoints.current;
    },
    isHealthy: selection.isHealthy,
    get isPanic() {
      return selection.isPanic;
    },
    absences: selection.absences,
    get zoneShare() {
      return selection.whole.zoneShare;
    },
    guards,
    concurrency,
    view: () => {
      const isRecalled = deps.registry.isRecalled?.(name) ?? false;
      return viewOf({ ...shared, endpoints: endpoints.current, selection, told, isRecalled });
    },
    close() {
      stopped.abort();
      guards?.close();
      selection.close();
      endpoints.close();
    },
  };
}

interface Following {
  readonly signal: AbortSignal;
  readonly judge: ReturnType<typeof createAnswering>;
  readonly told: Told;
  readonly update: (specs: readonly EndpointSpec[]) => void;
}

/** Follows the registry until the signal aborts. Resolves with the first set, or when there will be none. */
function follow(
  service: string,
  { registry, onWarning }: ServiceDeps,
  { signal, judge, told, update }: Following,
): Promise<void> {
  const first = Promise.withResolvers<void>();
  const read = async () => {
    for await (const specs of registry.watch(service, signal, judge)) {
      told.changes += told.changedAt === null ? 0 : 1;
      told.changedAt = Date.now();
      update(specs);
      first.resolve();
    }
  };
  read().catch((error: unknown) => {
    told.failure = String(error);
    if (!signal.aborted) onWarning("registry failed", { service, error: told.failure });
    first.resolve();
  });
  return first.promise;
}

/** The retries of a service, within a subset: what they may cost is one for all. */
function retriesOf(
  service: string,
  { random, delay = runtimeDelay, onRetry, onHedge }: ServiceDeps,
  told: Told,
): (subset: Subset) => RetryDeps {
  const budget = createRetryBudget(now);
  const pace = createResponsePace(now);
  const onResult = (result: RetryResult) => {
    told.retries.set(result, (told.retries.get(result) ?? 0) + 1);
    onRetry?.(service, result);
  };
  const noteHedge = (result: HedgeResult) => {
    told.hedges.set(result, (told.hedges.get(result) ?? 0) + 1);
    onHedge?.(service, result);
  };
  return (subset) => {
    const pick = createAnother({ balancer: subset.balancer, endpoints: () => subset.used, random });
    return { subset: subset.name, budget, pace, random, delay, pick, onResult, onHedge: noteHedge };
  };
}
