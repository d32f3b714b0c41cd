import type {
  AbsenceView,
  BreakerView,
  ConcurrencyView,
  EndpointView,
  HealthView,
  ServiceView,
  SubsetView,
} from "./view-schema.ts";

type Rest<View> = readonly [View, ...View[]];

/** Several processes' views of one service as one: counts are summed, of states the worst is told. */
export function mergeViews(views: Rest<ServiceView>): ServiceView {
  const [first] = views;
  if (views.length === 1) return first;
  return {
    name: first.name,
    registry: {
      source: first.registry.source,
      changedAt: latest(views.map(({ registry }) => registry.changedAt)),
      changes: Math.max(...views.map(({ registry }) => registry.changes)),
      isRecalled: views.some(({ registry }) => registry.isRecalled),
      failure: views.find(({ registry }) => registry.failure !== null)?.registry.failure ?? null,
    },
    policy: first.policy,
    isPanic: views.some(({ isPanic }) => isPanic),
    zoneShare: least(views.map((view) => view.zoneShare)),
    subsets: grouped(
      views.flatMap(({ subsets }) => subsets),
      ({ name }) => name,
    ).map(mergeSubset),
    endpoints: grouped(
      views.flatMap(({ endpoints }) => endpoints),
      ({ id, url }) => `${id} ${url}`,
    ).map(mergeEndpoint),
    concurrency: mergeConcurrency(views.flatMap(({ concurrency }) => concurrency ?? [])),
    breaker: mergeBreakers(views.flatMap(({ breaker }) => breaker ?? [])),
    totals: {
      ejections: sum(views, ({ totals }) => totals.ejections),
      breakerOpens: sum(views, ({ totals }) => totals.breakerOpens),
      retries: summed(views.map(({ totals }) => totals.retries)),
      hedges: summed(views.map(({ totals }) => totals.hedges)),
    },
  };
}

function mergeSubset(views: Rest<SubsetView>): SubsetView {
  return {
    name: views[0].name,
    isPanic: views.some(({ isPanic }) => isPanic),
    used: Math.min(...views.map(({ used }) => used)),
    zoneShare: least(views.map((view) => view.zoneShare)),
  };
}

/** Null where all are. */
function least(shares: readonly (number | null)[]): number | null {
  const known = shares.filter((share) => share !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function mergeEndpoint(views: Rest<EndpointView>): EndpointView {
  const [first] = views;
  const absences = grouped(
    views.flatMap((view) => view.absences),
    ({ reason }) => reason,
  );
  return {
    ...first,
    isUsed: views.some(({ isUsed }) => isUsed),
    isSpare: views.every(({ isUsed }) => !isUsed) && views.some(({ isSpare }) => isSpare),
    health: mergeHealth(views.flatMap(({ health }) => health ?? [])),
    absences: absences.map(mergeAbsence),
    inFlight: sum(views, ({ inFlight }) => inFlight),
    connections: {
      open: sum(views, ({ connections }) => connections.open),
      idle: sum(views, ({ connections }) => connections.idle),
      passages: sum(views, ({ connections }) => connections.passages),
    },
  };
}

function mergeHealth(views: readonly HealthView[]): HealthView | null {
  if (views.length === 0) return null;
  const failing = sum(views, (view) => view.failing);
  const unknown = sum(views, (view) => view.unknown);
  return {
    state: failing > 0 ? "failing" : unknown > 0 ? "unknown" : "passing",
    reason: views.find(({ reason }) => reason !== null)?.reason ?? null,
    passing: sum(views, ({ passing }) => passing),
    failing,
    unknown,
  };
}

/** The one that lasts longest speaks for all. */
function mergeAbsence(views: Rest<AbsenceView>): AbsenceView {
  const until = latest(views.map((view) => view.until));
  const longest = views.find((view) => view.until === until) ?? views[0];
  return { ...longest, workers: sum(views, ({ workers }) => workers) };
}

function mergeBreakers(views: readonly BreakerView[]): BreakerView | null {
  const [first] = views;
  if (first === undefined) return null;
  const open = sum(views, (view) => view.open);
  const halfOpen = sum(views, (view) => view.halfOpen);
  return {
    state: open > 0 ? "open" : halfOpen > 0 ? "half_open" : "closed",
    closed: sum(views, ({ closed }) => closed),
    halfOpen,
    open,
    until: latest(views.map(({ until }) => until)),
    inFlight: sum(views, ({ inFlight }) => inFlight),
    maxRequests: sum(views, ({ maxRequests }) => maxRequests),
    pending: sum(views, ({ pending }) => pending),
    maxPending: sum(views, ({ maxPending }) => maxPending),
    window: outcomes(views.map(({ window }) => window)),
    openedFor: openedFor(views),
  };
}

function mergeConcurrency(views: readonly ConcurrencyView[]): ConcurrencyView | null {
  if (views.length === 0) return null;
  return {
    limit: sum(views, ({ limit }) => limit),
    inFlight: sum(views, ({ inFlight }) => inFlight),
    waiting: {
      high: sum(views, ({ waiting }) => waiting.high),
      normal: sum(views, ({ waiting }) => waiting.normal),
      low: sum(views, ({ waiting }) => waiting.low),
    },
  };
}

function openedFor(views: readonly BreakerView[]): BreakerView["openedFor"] {
  const opened = views.flatMap((view) => view.openedFor ?? []);
  return opened.length === 0 ? null : outcomes(opened);
}

function outcomes(counts: readonly BreakerView["window"][]): BreakerView["window"] {
  return {
    total: sum(counts, ({ total }) => total),
    failures: sum(counts, ({ failures }) => failures),
    slow: sum(counts, ({ slow }) => slow),
  };
}

function sum<Item>(items: readonly Item[], countOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + countOf(item), 0);
}

function summed(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total = new Map<string, number>();
  for (const record of records)
    for (const [key, value] of Object.entries(record)) total.set(key, (total.get(key) ?? 0) + value);
  return Object.fromEntries(total);
}

/** Of instants as texts: those of one form sort as they come. */
function latest(instants: readonly (string | null)[]): string | null {
  return instants.reduce((last, instant) => ((instant ?? "") > (last ?? "") ? instant : last), null);
}

/** In the order in which each key came first. */
function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string): Rest<Item>[] {
  const groups = new Map<string, [Item, ...Item[]]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
