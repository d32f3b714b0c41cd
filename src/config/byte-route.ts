import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import type { RouteDocument } from "./route-schema.ts";
import type { ListenerConfig, ListenerProtocol, RouteConfig } from "./types.ts";
import { quote } from "./wording.ts";

/** Says whether a listener passes bytes unread, to routes of their own kind. */
export function passesBytes(protocol: ListenerProtocol): boolean {
  return protocol === "tcp" || protocol === "tls_passthrough";
}

function named(names: readonly string[], listeners: Building["listeners"]) {
  return names.flatMap((name) => {
    const protocol = listeners?.get(name);
    return protocol === undefined ? [] : [{ name, protocol }];
  });
}

/**
 * Says whether a route at `spot` with these listeners passes bytes. One that names listeners of both kinds is a fault,
 * and so is one without `listeners` where none speaks HTTP.
 */
export function isPassthrough(names: readonly string[] | null, spot: Spot, building: Building): boolean {
  const known = named(names ?? [], building.listeners);
  const bytes = known.find(({ protocol }) => passesBytes(protocol));
  const http = known.find(({ protocol }) => !passesBytes(protocol));
  if (bytes !== undefined && http !== undefined) {
    const kinds = `${quote(http.name)} speaks HTTP and ${quote(bytes.name)} passes bytes (${bytes.protocol})`;
    addFault(building, below(spot, "listeners"), `${kinds}; write a route for each`);
    return false;
  }
  const all = [...(building.listeners?.values() ?? [])];
  if (names === null && all.length > 0 && all.every(passesBytes)) {
    addFault(building, spot, "stands on no listener, as none speaks HTTP; name those that pass bytes in listeners");
  }
  return bytes !== undefined;
}

function valueAt({ document, path }: Spot): unknown {
  let value = document.value;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Object.entries(value).find(([name]) => name === String(key))?.[1];
  }
  return value;
}

const HTTP_KEYS = ["matches", "paths", "plugins", "timeout", "propagateTimeout", "retry"] as const;

/** Adds a fault for all that a route which passes bytes cannot do, and for what it lacks. */
export function checkPassthrough(written: RouteDocument, spot: Spot, building: Building): void {
  const backends = written.backends.map((_, index) => below(spot, "backends", index, "plugins"));
  for (const at of [...HTTP_KEYS.map((key) => below(spot, key)), ...backends]) {
    if (valueAt(at) === undefined) continue;
    addFault(building, at, "means nothing here, as the route's listeners pass bytes unread; remove it");
  }
  if (written.backends.length === 0) addFault(building, spot, "has no backends; write those that the bytes go to");
  const tcp = named(written.listeners ?? [], building.listeners).find(({ protocol }) => protocol === "tcp");
  if (tcp === undefined || written.hostnames.length === 0) return;
  const message = `mean nothing here, as listener ${quote(tcp.name)} is tcp and sees no name; remove them, or make it tls_passthrough`;
  addFault(building, below(spot, "hostnames"), message);
}

/** What tells the routes of a listener that passes bytes apart; on `tcp` nothing does. */
function keysOf({ hostnames }: RouteConfig, { protocol }: ListenerConfig): readonly string[] {
  return protocol === "tcp" || hostnames.length === 0 ? ["*"] : hostnames;
}

function clash(key: string, listener: ListenerConfig, other: RouteConfig): string {
  const { file, line } = other.source;
  const where = `route ${quote(other.name)} (${line === null ? file : `${file}:${line}`})`;
  const what = key === "*" ? "everything" : quote(key);
  return `takes ${what} on listener ${quote(listener.name)}, which ${where} does already; remove one, or merge their backends`;
}

/** Adds a fault for each route that passes bytes and would take the same connections as one before it. */
export function checkClashes(
  routes: readonly RouteConfig[],
  listeners: readonly ListenerConfig[],
  building: Pick<Building, "issues">,
): void {
  for (const listener of listeners.filter(({ protocol }) => passesBytes(protocol))) {
    const taken = new Map<string, RouteConfig>();
    for (const route of routes.filter((one) => one.isPassthrough && one.listeners?.includes(listener.name))) {
      const keys = keysOf(route, listener);
      const key = keys.find((one) => taken.has(one));
      const other = key === undefined ? undefined : taken.get(key);
      if (key !== undefined && other !== undefined) {
        building.issues.push({ ...route.source, message: clash(key, listener, other) });
      }
      for (const one of keys) taken.set(one, route);
    }
  }
}
