import type { ConfigIssue } from "../errors.ts";
import type { Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import type { Entry } from "./entries.ts";
import { httpRouteConfigs } from "./http-route.ts";
import type { Pace } from "./pace.ts";
import { routeConfig } from "./route-config.ts";
import { serviceConfig } from "./service-config.ts";
import type { Place, RouteConfig, ServiceConfig } from "./types.ts";
import { quote } from "./wording.ts";

interface Named<Item> {
  readonly item: Item;
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

function routesOf(entry: Entry, building: Building): readonly Named<RouteConfig>[] {
  if (entry.kind === "route") {
    const item = routeConfig(entry.data, entry.spot, building);
    return [{ item, name: item.name, place: below(entry.spot, "name").document.place([...entry.spot.path, "name"]) }];
  }
  if (entry.kind === "service") return [];
  return httpRouteConfigs(entry.data, entry.spot, building).map((item) => ({
    item,
    name: item.name,
    place: item.source,
  }));
}

function servicesOf(entry: Entry, building: Building): readonly Named<ServiceConfig>[] {
  if (entry.kind !== "service") return [];
  const item = serviceConfig(entry.data, entry.spot, building);
  return [{ item, name: item.name, place: namePlace(entry.spot) }];
}

/** The services and routes of all files, in their order. Faults go to `building.issues`. */
export async function assemble(
  entries: readonly Entry[],
  building: Building,
  pace: Pace,
): Promise<{ readonly services: readonly ServiceConfig[]; readonly routes: readonly RouteConfig[] }> {
  const services = entries.flatMap((entry) => servicesOf(entry, building));
  const routes: Named<RouteConfig>[] = [];
  for (const entry of entries) {
    routes.push(...routesOf(entry, building));
    await pace.rest();
  }
  building.issues.push(...duplicates("service", services), ...duplicates("route", routes));
  return { services: services.map(({ item }) => item), routes: routes.map(({ item }) => item) };
}
