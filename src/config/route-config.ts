import { addFault, type Building } from "./building.ts";
import { below, placeOf, type Spot } from "./check.ts";
import { suggestion } from "./near.ts";
import { hasAnswer, pluginUses, withDefaults } from "./plugin-uses.ts";
import type { MatchDocument, RouteDocument } from "./route-schema.ts";
import type { BackendConfig, FieldConfig, MatchConfig, PathsConfig, RouteConfig } from "./types.ts";
import { quote } from "./wording.ts";

type ValueDocument = NonNullable<MatchDocument["headers"]>[string];

function fields(written: Readonly<Record<string, ValueDocument>> | undefined): readonly FieldConfig[] {
  return Object.entries(written ?? {}).map(([name, value]) => ({
    name,
    value: typeof value === "string" ? { exact: value } : value,
  }));
}

function matchConfig(written: MatchDocument, spot: Spot): MatchConfig {
  return {
    path: written.path ?? null,
    methods: written.methods ?? null,
    headers: fields(written.headers).map(({ name, value }) => ({ name: name.toLowerCase(), value })),
    query: fields(written.query),
    source: placeOf(spot),
  };
}

/** Adds the fault that the routing finds in a match, if there is one. */
export function checkMatch(match: MatchConfig, spot: Spot, building: Building): void {
  const message = building.checkMatch(match);
  if (message !== null) addFault(building, match.path === null ? spot : below(spot, "path"), message);
}

/** Adds a fault when no listener has this name. */
export function checkListener(name: string, spot: Spot, building: Building): void {
  if (building.listeners === null || building.listeners.has(name)) return;
  addFault(building, spot, `${quote(name)} is not a listener${suggestion(name, [...building.listeners])}`);
}

function checkService(name: string, spot: Spot, building: Building): void {
  if (building.services === null || building.services.has(name)) return;
  const help = suggestion(name, [...building.services]);
  addFault(building, spot, `${quote(name)} is not a service${help || "; define it under services"}`);
}

function pathsConfig(written: RouteDocument["paths"]): PathsConfig {
  return {
    hasEncodedSlash: written.encodedSlash === "allow",
    hasEncodedBackslash: written.encodedBackslash === "allow",
    hasBackslash: written.backslash === "allow",
    hasDotSegments: written.dotSegments === "allow",
    hasLeadingSlashes: written.leadingSlashes === "allow",
  };
}

function backendConfig(written: RouteDocument["backends"][number], spot: Spot, building: Building): BackendConfig {
  checkService(written.service, below(spot, "service"), building);
  return {
    service: written.service,
    isValid: true,
    weight: written.weight,
    plugins: pluginUses(written.plugins, below(spot, "plugins"), building),
    source: placeOf(spot),
  };
}

/** A native route as it is written at `spot`; what cannot hold becomes a fault. */
export function routeConfig(written: RouteDocument, spot: Spot, building: Building): RouteConfig {
  const own = written.plugins && pluginUses(written.plugins, below(spot, "plugins"), building);
  const plugins = withDefaults(own, building.defaults.plugins);
  if (written.backends.length === 0 && !hasAnswer(plugins)) {
    addFault(building, spot, "has no backends and no plugin that answers; write backends, or use respond or redirect");
  }
  for (const [index, name] of (written.listeners ?? []).entries()) {
    checkListener(name, below(spot, "listeners", index), building);
  }
  const matches = written.matches.map((match, index) => matchConfig(match, below(spot, "matches", index)));
  for (const [index, match] of matches.entries()) checkMatch(match, below(spot, "matches", index), building);
  return {
    name: written.name,
    hostnames: written.hostnames,
    listeners: written.listeners ?? null,
    matches,
    paths: pathsConfig(written.paths),
    plugins,
    timeoutMs: written.timeout ?? building.defaults.timeoutMs,
    backendTimeoutMs: null,
    backends: written.backends.map((backend, index) =>
      backendConfig(backend, below(spot, "backends", index), building),
    ),
    source: placeOf(spot),
  };
}
