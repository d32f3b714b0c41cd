import type { ConfigIssue } from "../errors.ts";
import type { Building } from "./building.ts";
import { below, placeOf, type Spot } from "./check.ts";
import type { Entry } from "./entries.ts";
import { checkForesight } from "./foresight.ts";
import { httpRouteConfigs } from "./http-route.ts";
import { checkProxyHeaders } from "./proxy-header.ts";
import { checkReadable, routeConfig } from "./route-config.ts";
import { serviceConfig } from "./service-config.ts";
import type { TlsReading } from "./tls-config.ts";
import type { Place, RouteConfig, ServiceConfig } from "./types.ts";
import { quote } from "./wording.ts";

interface Named<Item> {
  /** Null for one with faults, whose name is taken all the same. */
  readonly item: Item | null;
  readonly name: string;
  /** Where the name stands. */
  readonly place: Place;
}

/** Faults for names that stand twice; each names the first place. */
function duplicates(what: string, named: readonly Named<unknown>[]): readonly ConfigIssue[] {
  const first = new Map<string, Place>();
  return named.flatMap(({ name, place }) => {
    const other = first.get(name);
    if (other === undefined) {
      first.set(name, place);
      return [];
    }
    const where = other.line === null ? other.file : `${other.file}:${other.line}`;
    return [{ ...place, message: `${quote(name)} is the name of a ${what} in ${where} already; choose another` }];
  });
}

function namePlace(spot: Spot, ...keys: readonly string[]): Place {
  const { document, path } = below(spot, ...keys);
  return document.place(path, "key");
}

function faultyHttpRoutes(
  { data, spot }: Extract<Entry, { kind: "faulty_http_route" }>,
  building: Building,
): readonly Named<RouteConfig>[] {
  const { metadata, spec, unnamed } = data;
  const routes = httpRouteConfigs({ metadata: metadata ?? { name: "" }, spec }, spot, building);
  if (metadata === null) return [];
  return routes.flatMap(({ name, source }, index) => (unnamed.has(index) ? [] : [{ item: null, name, place: source }]));
}

function routesOf(entry: Entry, building: Building): readonly Named<RouteConfig>[] {
  if (entry.kind === "service" || entry.kind === "faulty_service") return [];
  if (entry.kind === "route") {
    const item = routeConfig(entry.data, entry.spot, building);
    return [{ item, name: item.name, place: placeOf(below(entry.spot, "name")) }];
  }
  if (entry.kind === "faulty_route") {
    const { name } = entry.data;
    checkReadable(entry.data, entry.spot, building);
    return name === null ? [] : [{ item: null, name, place: placeOf(below(entry.spot, "name")) }];
  }
  if (entry.kind === "faulty_http_route") return faultyHttpRoutes(entry, building);
  return httpRouteConfigs(entry.data, entry.spot, building).map((item) => ({
    item,
    name: item.name,
    place: item.source,
  }));
}

function servicesOf(entry: Entry, reading: TlsReading): readonly Named<ServiceConfig>[] {
  if (entry.kind === "faulty_service") {
    return [{ item: null, name: String(entry.spot.path.at(-1)), place: namePlace(entry.spot) }];
  }
  if (entry.kind !== "service") return [];
  const item = serviceConfig(entry.data, entry.spot, reading);
  return [{ item, name: item.name, place: namePlace(entry.spot) }];
}

function itemsOf<Item>(named: readonly Named<Item>[]): readonly Item[] {
  return named.flatMap(({ item }) => (item === null ? [] : [item]));
}

/** The services and routes of all files that have no faults, in their order. Faults go to `building.issues`. */
export async function assemble(
  entries: readonly Entry[],
  building: Building,
  reading: TlsReading,
): Promise<{ readonly services: readonly ServiceConfig[]; readonly routes: readonly RouteConfig[] }> {
  const services: Named<ServiceConfig>[] = [];
  const routes: Named<RouteConfig>[] = [];
  for (const entry of entries) {
    services.push(...servicesOf(entry, reading));
    routes.push(...routesOf(entry, building));
    await reading.pace.rest();
  }
  building.issues.push(...duplicates("service", services), ...duplicates("route", routes));
  const parts = { services: itemsOf(services), routes: itemsOf(routes) };
  checkProxyHeaders(entries, parts.routes, reading);
  checkForesight(entries, parts, reading);
  return parts;
}
