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
import { createEndpoint, type Endpoint, type EndpointDeps, toldAnew } from "./endpoint.ts";
import { createGuards, type GuardHooks, type Guards } from "./guards.ts";
import type { HealthObserver } from "./health-checks.ts";
import type { LoadChange } from "./load-reports.ts";
import type { ForwardPolicy, ServiceOptions, SubsetSelector } from "./options.ts";
import { createRefusals } from "./refusals.ts";
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
  const concurrency = createConcurrency(options.concurrency, {
    service: name,
    wheel,
    onWarning,
    hooks: deps.concurrencyHooks,
  });
  const endpointDeps: EndpointDeps = { wheel, tls, pending: guards?.pending ?? null };
  const onRefused = createRefusals({ service: name, onWarning: deps.onWarning });
  const told = newTold();
  const retries = retriesOf(name, deps, told);
  const destinationOf = (subset: Subset): Destination => ({
    forward: createSending({
      service: name,
      options,
      subset,
      guards,
      concurrency,
      retries: retries(subset),
      onRefused,
    }),
    connect(passage) {
      passage.service = name;
      new Connect(passage, { options, subset, guards }).begin();
    },
  });
  const subsets = createSubsets(selection, destinationOf);
  const stopped = new AbortController();
  const context: ReconcileContext = { service: name, options, deps, endpointDeps, refused: new Set() };
  let endpoints: readonly Endpoint[] = [];
  const first = Promise.withResolvers<void>();
  const follow = async () => {
    const judge = createAnswering({ endpoints: () => endpoints, isHealthy: selection.isHealthy });
    for await (const specs of deps.registry.watch(name, stopped.signal, judge)) {
      told.specs = specs;
      told.changedAt = Date.now();
      endpoints = reconcile(endpoints, specs, context);
      guards?.update(endpoints);
      selection.update(endpoints);
      first.resolve();
    }
  };
  follow().catch((error: unknown) => {
    told.failure = String(error);
    if (!stopped.signal.aborted) deps.onWarning("registry failed", { service: name, error: told.failure });
    first.resolve();
  });
  return {
    name,
    ready: first.promise,
    ...destinationOf(selection.whole),
    subset: subsets.open,
    get endpoints() {
      return endpoints;
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
    view: () => viewOf({ service: name, options, endpoints, selection, guards, told }),
    close() {
      stopped.abort();
      guards?.close();
      selection.close();
      for (const endpoint of endpoints) endpoint.pool.close();
    },
  };
}

/** The retries of a service, within a subset: what they may cost is one for all. */
function retriesOf(
  service: string,
  { random, delay = runtimeDelay, onRetry, onHedge }: ServiceDeps,
  told: Told,
): (subset: Subset) => RetryDeps {
  const budget = createRetryBudget(now);
  const onResult = (result: RetryResult) => {
    told.retries.set(result, (told.retries.get(result) ?? 0) + 1);
    onRetry?.(service, result);
  };
  return (subset) => {
    const pick = createAnother({ balancer: subset.balancer, endpoints: () => subset.used, random });
    return { budget, random, delay, pick, onResult, onHedge: (result) => onHedge?.(service, result) };
  };
}

interface ReconcileContext {
  readonly service: string;
  readonly options: ServiceOptions;
  readonly deps: ServiceDeps;
  readonly endpointDeps: EndpointDeps;
  /** Endpoints that cannot be used, as they were told of: sets come often, and each is told once. */
  readonly refused: Set<string>;
}

/**
 * The new set: endpoints that stayed, known by id and URL, keep their pools and with them all that is known of them;
 * those that left close theirs.
 */
function reconcile(
  old: readonly Endpoint[],
  specs: readonly EndpointSpec[],
  { service, options, deps, endpointDeps, refused }: ReconcileContext,
): readonly Endpoint[] {
  const known = new Map(old.map((endpoint) => [`${endpoint.id} ${endpoint.url}`, endpoint]));
  const kept: Endpoint[] = [];
  const seen = new Set<string>();
  const refusedNow = new Set<string>();
  for (const spec of specs) {
    const key = `${spec.id} ${spec.url}`;
    // Of two that are one, the second's pool would be lost sight of.
    if (seen.has(key)) continue;
    seen.add(key);
    const same = known.get(key);
    known.delete(key);
    const endpoint = same === undefined ? createEndpoint(spec, options, endpointDeps) : toldAnew(same, spec);
    if (endpoint !== null) kept.push(endpoint);
    else {
      refusedNow.add(key);
      if (refused.has(key)) continue;
      deps.onWarning("endpoint ignored: its URL leads nowhere for this service", { service, endpoint: spec.id });
    }
  }
  refused.clear();
  for (const key of refusedNow) refused.add(key);
  for (const left of known.values()) left.pool.close();
  return Object.freeze(kept);
}
