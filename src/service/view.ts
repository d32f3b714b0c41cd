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
  /** Sets that came after the first. */
  changes: number;
  /** Why the registry is followed no longer; null: it is. */
  failure: string | null;
  readonly retries: Map<RetryResult, number>;
  readonly hedges: Map<HedgeResult, number>;
}

/** Nothing yet. */
export function newTold(): Told {
  return { changedAt: null, changes: 0, failure: null, retries: new Map(), hedges: new Map() };
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
  /** The endpoints come from the last good copy. */
  readonly isRecalled: boolean;
}

/** What a service shows of itself at this moment: plain data that holds nothing of the service. */
export function viewOf(parts: ViewParts): ServiceView {
  const { service, options, endpoints, selection, guards } = parts;
  const uses = usesOf(parts);
  return {
    name: service,
    registry: registryView(parts),
    policy: options.balancer,
    isPanic: selection.isPanic,
    zoneShare: selection.whole.zoneShare,
    subsets: selection.subsets.map(subsetView),
    endpoints: endpoints.map((endpoint) =>
      endpointView(endpoint, { use: uses.get(endpoint.pool) ?? "none", selection, guards }),
    ),
    breaker: breakerView(options, guards),
    concurrency: concurrencyView(parts.concurrency),
    totals: {
      ejections: guards?.ejections ?? 0,
      breakerOpens: guards?.breakerReport()?.opens ?? 0,
      retries: Object.fromEntries(parts.told.retries),
      hedges: Object.fromEntries(parts.told.hedges),
    },
  };
}

function registryView({ options, told, isRecalled }: ViewParts): ServiceView["registry"] {
  const { changedAt, changes, failure } = told;
  return { source: options.discover, changedAt: instantOf(changedAt), changes, isRecalled, failure };
}

type Use = "used" | "spare" | "none";

/** What may be chosen by the service or by one of its subsets; a spare one would be, did its zone get anything. */
function usesOf({ options, selection }: ViewParts): ReadonlyMap<object, Use> {
  const uses = new Map<object, Use>();
  for (const { used, zoneShare } of [selection.whole, ...selection.subsets]) {
    for (const { pool, zone } of used) {
      const share = zoneShare === null ? 1 : zone === options.zone ? zoneShare : 1 - zoneShare;
      if (share > 0) uses.set(pool, "used");
      else if (!uses.has(pool)) uses.set(pool, "spare");
    }
  }
  return uses;
}

interface EndpointFacts extends Pick<ViewParts, "selection" | "guards"> {
  readonly use: Use;
}

function subsetView({ name, isPanic, used, zoneShare }: Subset): SubsetView {
  return { name, isPanic, used: used.filter(({ weight }) => weight > 0).length, zoneShare };
}

function endpointView(endpoint: Endpoint, { use, selection, guards }: EndpointFacts): EndpointView {
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
    isUsed: use === "used" && weight > 0,
    isSpare: use === "spare" && weight > 0,
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
