import { parseArgs } from "node:util";
import { type ServiceDetail, type ServicesView, serviceDetail, servicesView } from "../admin/schemas.ts";
import type { AbsenceView, EndpointView, ServiceView } from "../service/view-schema.ts";
import { askAdmin } from "./admin-client.ts";
import { ADMIN_ARGUMENTS, ADMIN_USAGE, adminPlace } from "./admin-place.ts";
import { type Command, EXIT, UsageError } from "./command.ts";
import { counted, printable, table } from "./table.ts";

export const services: Command = {
  name: "services",
  usage: `torii services [NAME] ${ADMIN_USAGE}`,
  summary: "lists the running gateway's services, or the endpoints of one and why they get no requests",
  async run(args, context) {
    const { values, positionals } = parseArgs({ args: [...args], options: ADMIN_ARGUMENTS, allowPositionals: true });
    const [name, extra] = positionals;
    if (extra !== undefined) throw new UsageError(`${extra} is one name too many`);
    const place = adminPlace(values, context);
    if (name === undefined) {
      const answer = await askAdmin(place, { path: "/v1/services", schema: servicesView });
      context.out(values.json ? JSON.stringify(answer.json, null, 2) : listText(answer.view()));
      return EXIT.done;
    }
    const path = `/v1/services/${encodeURIComponent(name)}`;
    const absent = `the gateway has no service ${JSON.stringify(name)}; torii services lists those it has`;
    const answer = await askAdmin(place, { path, schema: serviceDetail, absent });
    context.out(values.json ? JSON.stringify(answer.json, null, 2) : detailText(answer.view()));
    return EXIT.done;
  },
};

function listText({ services: views, missing }: ServicesView): string {
  const head = ["SERVICE", "REGISTRY", "POLICY", "ENDPOINTS", "USED", "UNHEALTHY", "EJECTED", "IN FLIGHT", "BREAKER"];
  const rows = views.map((view) => [
    view.name,
    view.registry.source,
    view.policy,
    String(view.endpoints.length),
    `${view.endpoints.filter(({ isUsed }) => isUsed).length}${view.isPanic ? " (panic)" : ""}`,
    String(countOut(view, "unhealthy")),
    String(countOut(view, "ejected")),
    String(view.endpoints.reduce((sum, { inFlight }) => sum + inFlight, 0)),
    view.breaker?.state ?? "-",
  ]);
  return [table(head, rows), ...missingLines(missing)].join("\n");
}

function countOut({ endpoints }: ServiceView, reason: string): number {
  return endpoints.filter(({ absences }) => absences.some((one) => one.reason === reason)).length;
}

function missingLines(missing: readonly number[]): readonly string[] {
  return missing.length === 0 ? [] : ["", `without worker ${missing.join(", ")}, which did not answer`];
}

function countsText(counts: Readonly<Record<string, number>>): string {
  return (
    Object.entries(counts)
      .map(([result, count]) => `${count} ${result}`)
      .join(", ") || "none"
  );
}

function detailText({ service, answered, missing }: ServiceDetail): string {
  const { registry, endpoints, totals } = service;
  return [
    `${service.name}: ${service.policy}, endpoints from ${registryText(registry)}`,
    ...(service.isPanic ? ["panic: too few endpoints are available, so that all are used"] : []),
    ...selectionLines(service),
    ...concurrencyLines(service),
    ...breakerLines(service, answered.length),
    `ejections ${totals.ejections}, breaker opened ${counted(totals.breakerOpens, "time")}, retries ${countsText(totals.retries)}, hedges ${countsText(totals.hedges)}`,
    "",
    table(
      ["ENDPOINT", "URL", "WEIGHT", "ZONE", "VERSION", "TAGS", "IN FLIGHT", "CONNECTIONS", "HEALTH", "STATE"],
      endpoints.map((endpoint) => endpointCells(endpoint, answered.length)),
    ),
    ...missingLines(missing),
  ].join("\n");
}

function registryText(registry: ServiceView["registry"]): string {
  const { source, failure, isRecalled } = registry;
  if (source === "static") return "the configuration";
  if (isRecalled) return `the last good copy of ${source}, which could not be read since the start`;
  return `${source}, which ${printable(failure ?? toldText(registry))}`;
}

function toldText({ changedAt, changes }: ServiceView["registry"]): string {
  if (changedAt === null) return "tells nothing yet";
  return changes === 0 ? `tells the same since ${changedAt}` : `changed last at ${changedAt}`;
}

function selectionLines({ zoneShare, subsets }: ServiceView): readonly string[] {
  return [
    ...zoneWords(zoneShare),
    ...subsets.map(({ name, used, isPanic, zoneShare: share }) =>
      [`subset ${printable(name)}: ${used} used${isPanic ? " (panic)" : ""}`, ...zoneWords(share)].join(", "),
    ),
  ];
}

function zoneWords(share: number | null): readonly string[] {
  return share === null ? [] : [`${Math.round(share * 100)}% stay in the gateway's zone`];
}

function concurrencyLines({ concurrency }: ServiceView): readonly string[] {
  if (concurrency === null) return [];
  const { limit, inFlight, waiting } = concurrency;
  const { high, normal, low } = waiting;
  return [
    `concurrency ${inFlight} of ${limit}, ${high + normal + low} wait (${high} high, ${normal} normal, ${low} low)`,
  ];
}

function breakerLines({ breaker }: ServiceView, workers: number): readonly string[] {
  if (breaker === null) return [];
  const { state, open, halfOpen, closed, until, inFlight, maxRequests, pending, maxPending, window, openedFor } =
    breaker;
  const split = workers > 1 ? ` (open in ${open}, half open in ${halfOpen}, closed in ${closed} workers)` : "";
  const lasts = until === null ? "" : `, until ${until}`;
  const why = openedFor === null ? "" : `; opened for ${openedFor.failures} failures of ${openedFor.total}`;
  return [
    `breaker ${state}${split}${lasts}${why}`,
    `  ${inFlight} of ${maxRequests} in flight, ${pending} of ${maxPending} pending, ` +
      `${window.failures} failures and ${window.slow} slow of ${window.total} in the last ten seconds`,
  ];
}

function endpointCells(endpoint: EndpointView, workers: number): readonly string[] {
  const { id, url, weight, zone, version, tags, inFlight, connections } = endpoint;
  return [
    id,
    url,
    String(weight),
    zone ?? "-",
    version ?? "-",
    tags.join(", ") || "-",
    String(inFlight),
    String(connections.open + connections.passages),
    healthText(endpoint, workers),
    stateText(endpoint, workers),
  ];
}

function healthText({ health }: EndpointView, workers: number): string {
  if (health === null) return "-";
  const isSplit = workers > 1 && health[health.state] !== workers;
  return isSplit ? `${health.state} (${health[health.state]} of ${workers} workers)` : health.state;
}

function stateText({ absences, isUsed, isSpare }: EndpointView, workers: number): string {
  const use = isUsed ? "used" : isSpare ? "spare, as the gateway's zone takes all" : "not used";
  return absences.length === 0 ? use : [use, ...absences.map((absence) => absenceText(absence, workers))].join("; ");
}

function absenceText({ reason, cause, times, until, workers: count }: AbsenceView, workers: number): string {
  const facts = [
    ...(times === null || times < 2 ? [] : [`${times} times`]),
    ...(until === null ? [] : [`until ${until}`]),
    ...(count < workers ? [`in ${count} of ${workers} workers`] : []),
    ...(cause === null ? [] : [cause]),
  ];
  return facts.length === 0 ? reason : `${reason} (${facts.join(", ")})`;
}
