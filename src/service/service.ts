import type { EndpointSpec, Registry } from "../registry/registry.ts";
import type { Receiver } from "../wire/attempt.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import type { Passage } from "../wire/l4/passage.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import { type AnotherDeps, createAnother } from "./another.ts";
import type { Balancer } from "./balancer.ts";
import { createBalancer } from "./balancer-policies.ts";
import { Connect } from "./connect.ts";
import { type Delay, runtimeDelay } from "./delay.ts";
import { createEndpoint, type Endpoint, type EndpointDeps } from "./endpoint.ts";
import { createGuards, type GuardHooks, type Guards } from "./guards.ts";
import type { HealthObserver } from "./health-checks.ts";
import type { ForwardPolicy, ServiceOptions } from "./options.ts";
import { createRefusals } from "./refusals.ts";
import type { RetryDeps, RetryResult } from "./retry.ts";
import { createRetryBudget } from "./retry-budget.ts";
import { createSelection } from "./selection.ts";
import { createSending } from "./sending.ts";
import { lazyTls } from "./tls.ts";
import { newTold, type Told, viewOf } from "./view.ts";
import type { ServiceView } from "./view-schema.ts";

/** A named group of endpoints. */
export interface Service {
  readonly name: string;
  /** Resolves when the registry told its endpoints for the first time. */
  readonly ready: Promise<void>;
  /** Sends the exchange's request to an endpoint; the receiver hears of the response's head or of a failure. */
  forward(exchange: Exchange, policy: ForwardPolicy, receiver: Receiver): void;
  /** Joins the passage with a connection to an endpoint, as it is even where that speaks TLS, or refuses it. */
  connect(passage: Passage): void;
  /** The present set; replaced, never changed. */
  readonly endpoints: readonly Endpoint[];
  /** Which of them pass their health checks; null where none are made. */
  readonly isHealthy: ((endpoint: Endpoint) => boolean) | null;
  /** True while too few endpoints are available, so that all are used. */
  readonly isPanic: boolean;
  /** What outlier detection and the breaker found; null where the service has neither. */
  readonly guards: Pick<Guards, "ejected" | "breakerState"> | null;
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
  /** Told of every retry's outcome, and of retries that were not allowed. */
  readonly onRetry?: (service: string, result: RetryResult) => void;
  /** For the pauses before retries; the runtime's timers unless given. */
  readonly delay?: Delay;
}

/** A service that follows its registry until it is closed. */
export function createService(name: string, options: ServiceOptions, deps: ServiceDeps): Service {
  const { wheel, random, onWarning, guardHooks: hooks } = deps;
  const { slowStartMs } = options;
  const balancer: Balancer<Endpoint> = createBalancer(options.balancer, { random, nowMs: now, slowStartMs });
  const tls = lazyTls(options);
  const selection = createSelection({
    service: name,
    options,
    probeDeps: { wheel, tls },
    random,
    observer: deps.health ?? null,
    onUsed: (used) => balancer.update(used),
  });
  const { availability } = selection;
  const guards = createGuards(options, { service: name, wheel, availability, onWarning, hooks });
  const endpointDeps: EndpointDeps = { wheel, tls, pending: guards?.pending ?? null };
  const onRefused = createRefusals({ service: name, onWarning: deps.onWarning });
  const told = newTold();
  const retries = retriesOf(name, deps, { balancer, endpoints: () => selection.used, told });
  const stopped = new AbortController();
  let endpoints: readonly Endpoint[] = [];
  const first = Promise.withResolvers<void>();
  const follow = async () => {
    for await (const specs of deps.registry.watch(name, stopped.signal)) {
      told.specs = specs;
      told.changedAt = Date.now();
      endpoints = reconcile(endpoints, specs, { service: name, options, deps, endpointDeps });
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
    forward: createSending({ service: name, options, balancer, guards, retries, onRefused }),
    connect(passage) {
      passage.service = name;
      new Connect(passage, { options, balancer, endpoints: () => selection.used }).next();
    },
    get endpoints() {
      return endpoints;
    },
    isHealthy: selection.isHealthy,
    get isPanic() {
      return selection.isPanic;
    },
    guards,
    view: () => viewOf({ service: name, options, endpoints, selection, guards, told }),
    close() {
      stopped.abort();
      guards?.close();
      selection.close();
      for (const endpoint of endpoints) endpoint.pool.close();
    },
  };
}

function retriesOf(
  service: string,
  { random, delay = runtimeDelay, onRetry }: ServiceDeps,
  { told, ...choice }: Pick<AnotherDeps<Endpoint>, "balancer" | "endpoints"> & { readonly told: Told },
): RetryDeps {
  return {
    budget: createRetryBudget(now),
    random,
    delay,
    pick: createAnother({ ...choice, random }),
    onResult(result) {
      told.retries.set(result, (told.retries.get(result) ?? 0) + 1);
      onRetry?.(service, result);
    },
  };
}

interface ReconcileContext {
  readonly service: string;
  readonly options: ServiceOptions;
  readonly deps: ServiceDeps;
  readonly endpointDeps: EndpointDeps;
}

/** The new set: endpoints that stayed keep their connections, those that left close theirs. */
function reconcile(
  old: readonly Endpoint[],
  specs: readonly EndpointSpec[],
  { service, options, deps, endpointDeps }: ReconcileContext,
): readonly Endpoint[] {
  const known = new Map(old.map((endpoint) => [`${endpoint.id} ${endpoint.url}`, endpoint]));
  const kept: Endpoint[] = [];
  for (const spec of specs) {
    const key = `${spec.id} ${spec.url}`;
    const same = known.get(key);
    known.delete(key);
    const endpoint =
      same === undefined ? createEndpoint(spec, options, endpointDeps) : { ...same, weight: spec.weight };
    if (endpoint === null)
      deps.onWarning("endpoint ignored: its URL leads nowhere for this service", { service, endpoint: spec.id });
    else kept.push(endpoint);
  }
  for (const left of known.values()) left.pool.close();
  return Object.freeze(kept);
}
