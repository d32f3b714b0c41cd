import type { ConfigIssue } from "../errors.ts";
import { below, checkPart, locatedFaults, placeOf, type Spot } from "./check.ts";
import type { ConfigDocument } from "./document.ts";
import { FILTER_PLUGINS } from "./http-route.ts";
import { type HttpRouteDocument, httpRouteSchema } from "./http-route-schema.ts";
import type { Pace } from "./pace.ts";
import { usedNames } from "./plugin-uses.ts";
import { type ReadableHttpRoute, readableHttpRoute } from "./readable-http-route.ts";
import { type ReadableRoute, readableRoute } from "./readable-route.ts";
import { type RouteDocument, routeSchema, routesShell } from "./route-schema.ts";
import { checkSoundParts } from "./service-config.ts";
import { type ServiceDocument, serviceSchema } from "./service-schema.ts";
import { NOT_BUILT, quote } from "./wording.ts";

/** One checked part of a route file, and where it stands. Of a part with faults, what can be checked further. */
export type Entry =
  | { readonly kind: "service"; readonly data: ServiceDocument; readonly spot: Spot }
  | { readonly kind: "route"; readonly data: RouteDocument; readonly spot: Spot }
  | { readonly kind: "http_route"; readonly data: HttpRouteDocument; readonly spot: Spot }
  | { readonly kind: "faulty_service"; readonly spot: Spot }
  | { readonly kind: "faulty_http_route"; readonly data: ReadableHttpRoute; readonly spot: Spot }
  | { readonly kind: "faulty_route"; readonly data: ReadableRoute; readonly spot: Spot };

/** What route files hold, in their order. */
export interface Entries {
  readonly entries: Entry[];
  readonly issues: ConfigIssue[];
  /** Names of services, those with faults too: who refers to one of them makes no mistake. */
  readonly services: Set<string>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readService(value: unknown, spot: Spot, into: Entries): void {
  const checked = checkPart(serviceSchema, value ?? {}, spot);
  if (checked.isValid) into.entries.push({ kind: "service", data: checked.data, spot });
  else {
    into.entries.push({ kind: "faulty_service", spot });
    into.issues.push(...locatedFaults(checked.faults, spot));
    checkSoundParts(value, checked.faults, { spot, building: into });
  }
}

function readRoute(value: unknown, spot: Spot, into: Entries): void {
  const checked = checkPart(routeSchema, value, spot);
  if (checked.isValid) into.entries.push({ kind: "route", data: checked.data, spot });
  else {
    into.entries.push({ kind: "faulty_route", data: readableRoute(value), spot });
    into.issues.push(...locatedFaults(checked.faults, spot));
  }
}

function readHttpRoute(document: ConfigDocument, into: Entries): void {
  const spot = { document, path: [] };
  const checked = checkPart(httpRouteSchema, document.value, spot);
  if (checked.isValid) into.entries.push({ kind: "http_route", data: checked.data, spot });
  else {
    const data = readableHttpRoute(document.value, spot);
    if (data !== null) into.entries.push({ kind: "faulty_http_route", data, spot });
    into.issues.push(...locatedFaults(checked.faults, spot));
  }
}

async function readRoutes(document: ConfigDocument, into: Entries, pace: Pace): Promise<void> {
  const top = { document, path: [] };
  const shell = checkPart(routesShell, document.value, top);
  if (!shell.isValid) into.issues.push(...locatedFaults(shell.faults, top));
  const { services, routes } = isRecord(document.value) ? document.value : {};
  for (const [name, service] of Object.entries(isRecord(services) ? services : {})) {
    into.services.add(name);
    readService(service, below(top, "services", name), into);
    await pace.rest();
  }
  for (const [index, route] of (Array.isArray(routes) ? routes : []).entries()) {
    readRoute(route, below(top, "routes", index), into);
    await pace.rest();
  }
}

/** Checks one document of a route file: services and routes, or an HTTPRoute; each part by itself. */
export async function readEntries(document: ConfigDocument, into: Entries, pace: Pace): Promise<void> {
  const kind = isRecord(document.value) ? document.value["kind"] : undefined;
  if (kind === undefined) await readRoutes(document, into, pace);
  else if (kind === "HTTPRoute") readHttpRoute(document, into);
  else {
    const place = placeOf({ document, path: ["kind"] });
    const message = /Route$/.test(String(kind))
      ? `${quote(kind)} ${NOT_BUILT}; write HTTPRoute`
      : `${quote(kind)} is not read here; write HTTPRoute, or services and routes without a kind`;
    into.issues.push({ ...place, message });
  }
}

/** The names of plugins that the entries use. */
export function pluginNames(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap((entry) => {
    if (entry.kind === "service" || entry.kind === "faulty_service") return [];
    if (entry.kind === "http_route" || entry.kind === "faulty_http_route") return FILTER_PLUGINS;
    return [
      ...usedNames(entry.data.plugins ?? []),
      ...entry.data.backends.flatMap(({ plugins }) => usedNames(plugins)),
    ];
  });
}
