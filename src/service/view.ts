import { now } from "../wire/event.ts";
import type { Concurrency } from "./concurrency.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Guards } from "./guards.ts";
import type { HealthState } from "./health-check.ts";
import type { ServiceOptions } from "./options.ts";
import type { HedgeResult, RetryResult } from "./retry.ts";
import type { Selection } from "./selection.ts";
import type { Subset } from "./subset.ts";
import type {
  AbsenceView,
  BreakerView,
  ConcurrencyView,
  EndpointView,
  HealthView,
  ServiceView,
  SubsetView,
} from "./view-schema.ts";

/** What is kept of the past for views alone. */
export interface Told {
  /** When the registry's present set came, in epoch milliseconds; null: none has. */
  changedAt: number | null;
  /** Why the registry is followed no longer; null: it is. */
  failure: string | null;
  readonly retries: Map<RetryResult, number>;
  readonly hedges: Map<HedgeResult, number>;
}

/** Nothing yet. */
export function newTold(): Told {
  return { changedAt: null, failure: null, retries: new Map(), hedges: new Map() };
}

/** What a service's view is made from. */
export interface ViewParts {
  readonly service: string;
  readonly options: ServiceOptions;
  readonly endpoints: readonly Endpoint[];
  readonly selection: Selection;
  readonly guards: Guards | null;
  readonly concurrency: Pick<Concurrency, "limit" | "inFlight" | "waiting"> | null;
  readonly told: Readonly<Told>;
}

/** What a service shows of itself at this moment: plain data that holds nothing of the service. */
export function viewOf(parts: ViewParts): ServiceView {
  const { service, options, endpoints, selection, guards, told } = parts;
  const used = new Set(selection.used.map(({ pool }) => pool));
  return {
    name: service,
    registry: { source: options.discover, changedAt: instantOf(told.changedAt), failure: told.failure },
    policy: options.balancer,
    isPanic: selection.isPanic,
    zoneShare: selection.whole.zoneShare,
    subsets: selection.subsets.map(subsetView),
    endpoints: endpoints.map((endpoint) =>
      endpointView(endpoint, { isUsed: used.has(endpoint.pool), selection, guards }),
    ),
    breaker: breakerView(options, guards),
    concurrency: concurrencyView(parts.concurrency),
    totals: {
      ejections: guards?.ejections ?? 0,
      breakerOpens: guards?.breakerReport()?.opens ?? 0,
      retries: Object.fromEntries(told.retries),
      hedges: Object.fromEntries(told.hedges),
    },
  };
}

interface EndpointFacts extends Pick<ViewParts, "selection" | "guards"> {
  readonly isUsed: boolean;
}

function subsetView({ name, isPanic, used, zoneShare }: Subset): SubsetView {
  return { name, isPanic, used: used.filter(({ weight }) => weight > 0).length, zoneShare };
}

function endpointView(endpoint: Endpoint, { isUsed, selection, guards }: EndpointFacts): EndpointView {
  const { id, url, weight, zone, version, tags, load, pool, passages } = endpoint;
  const health = selection.healthOf === null ? null : healthView(selection.healthOf(endpoint));
  const reasons = selection.availability.reasonsOf(endpoint);
  return {
    id,
    url,
    weight,
    zone,
    version,
    tags: [...tags],
    load: load === null ? null : { ...load },
    isUsed: isUsed && weight > 0,
    health,
    absences: reasons.map((reason) => absenceView(reason, { endpoint, health, guards })),
    inFlight: pool.inFlight,
    connections: { open: pool.openConnections, idle: pool.idleConnections, passages: passages.open },
  };
}

function healthView(state: HealthState | null): HealthView {
  const isKnown = state?.isChecked === true;
  const word = isKnown ? (state.isHealthy ? "passing" : "failing") : "unknown";
  const reason = word === "failing" ? (state?.reason ?? null) : null;
  return { state: word, reason, passing: 0, failing: 0, unknown: 0, [word]: 1 };
}

interface AbsenceFacts {
  readonly endpoint: Endpoint;
  readonly health: HealthView | null;
  readonly guards: Guards | null;
}

function absenceView(reason: string, { endpoint, health, guards }: AbsenceFacts): AbsenceView {
  const plain = { reason, cause: null, times: null, until: null, workers: 1 };
  if (reason === "unhealthy") return { ...plain, cause: health?.reason ?? null };
  const ejection = reason === "ejected" ? (guards?.ejectionOf(endpoint) ?? null) : null;
  if (ejection === null) return plain;
  const { cause, times, untilMs } = ejection;
  return { ...plain, cause, times, until: instantOf(epochOf(untilMs)) };
}

function breakerView({ breaker }: ServiceOptions, guards: Guards | null): BreakerView | null {
  const report = guards?.breakerReport() ?? null;
  if (breaker === null || report === null) return null;
  const { state, openUntil, inFlight, window, openedFor } = report;
  return {
    state,
    closed: state === "closed" ? 1 : 0,
    halfOpen: state === "half_open" ? 1 : 0,
    open: state === "open" ? 1 : 0,
    until: state === "open" ? instantOf(epochOf(openUntil)) : null,
    inFlight,
    maxRequests: breaker.maxRequests,
    pending: guards?.pending?.count ?? 0,
    maxPending: breaker.maxPending,
    window: { ...window },
    openedFor: openedFor === null ? null : { ...openedFor },
  };
}

function concurrencyView(concurrency: ViewParts["concurrency"]): ConcurrencyView | null {
  if (concurrency === null) return null;
  const { limit, inFlight } = concurrency;
  const [high, normal, low] = [concurrency.waiting("high"), concurrency.waiting("normal"), concurrency.waiting("low")];
  return { limit: Math.floor(limit), inFlight, waiting: { high, normal, low } };
}

/** The epoch milliseconds of a moment on the steady clock. */
function epochOf(atMs: number): number {
  return Date.now() + (atMs - now());
}

function instantOf(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}
