import type { ValueSpec } from "../route/value-test.ts";
import { addFault, type Building } from "./building.ts";
import { checkPassthrough, isPassthrough } from "./byte-route.ts";
import { below, placeOf, type Spot } from "./check.ts";
import { subsetSelector } from "./endpoint-facts.ts";
import { suggestion } from "./near.ts";
import { checkUses, hasAnswer, pluginUses, withDefaults } from "./plugin-uses.ts";
import type { ReadableRoute } from "./readable-route.ts";
import { retryPolicy } from "./retry.ts";
import type { MatchDocument, RouteDocument } from "./route-schema.ts";
import { wireText } from "./scalars.ts";
import type { BackendConfig, FieldConfig, MatchConfig, PluginUse, RouteConfig } from "./types.ts";
import { quote } from "./wording.ts";

function fields(written: Readonly<Record<string, ValueSpec>> | undefined): readonly FieldConfig[] {
  return Object.entries(written ?? {}).map(([name, value]) => ({ name, value }));
}

/** A header's name and value as they meet the wire's. */
export function headerField({ name, value }: FieldConfig): FieldConfig {
  return { name: name.toLowerCase(), value: typeof value === "string" ? wireText(value) : value };
}

function matchConfig(written: MatchDocument, spot: Spot): MatchConfig {
  return {
    path: written.path ?? null,
    methods: written.methods ?? [],
    headers: fields(written.headers).map(headerField),
    query: fields(written.query),
    source: placeOf(spot),
  };
}

/** Adds a fault when no listener has this name. */
export function checkListener(name: string, spot: Spot, building: Building): void {
  if (building.listeners === null || building.listeners.has(name)) return;
  addFault(building, spot, `${quote(name)} is not a listener${suggestion(name, [...building.listeners.keys()])}`);
}

function checkService(name: string, spot: Spot, building: Building): void {
  if (building.services === null || building.services.has(name)) return;
  const help = suggestion(name, [...building.services]);
  addFault(building, spot, `${quote(name)} is not a service${help || "; define it under services"}`);
}

function backendConfig(written: RouteDocument["backends"][number], spot: Spot, building: Building): BackendConfig {
  checkService(written.service, below(spot, "service"), building);
  return {
    service: written.service,
    isValid: true,
    weight: written.weight,
    subset: subsetSelector(written.subset),
    plugins: pluginUses(written.plugins, below(spot, "plugins"), building),
    source: placeOf(spot),
  };
}

function ownPlugins(written: RouteDocument, spot: Spot, building: Building): readonly PluginUse[] {
  const own = written.plugins && pluginUses(written.plugins, below(spot, "plugins"), building);
  const plugins = withDefaults(own, building.defaults.plugins);
  if (written.backends.length === 0 && !hasAnswer(plugins)) {
    addFault(building, spot, "has no backends and no plugin that answers; write backends, or use respond or redirect");
  }
  return plugins;
}

/** A native route as it is written at `spot`; what cannot hold becomes a fault. */
export function routeConfig(written: RouteDocument, spot: Spot, building: Building): RouteConfig {
  for (const [index, name] of (written.listeners ?? []).entries()) {
    checkListener(name, below(spot, "listeners", index), building);
  }
  const isBytes = isPassthrough(written.listeners ?? null, spot, building);
  if (isBytes) checkPassthrough(written, spot, building);
  const plugins = isBytes ? [] : ownPlugins(written, spot, building);
  return {
    name: written.name,
    hostnames: written.hostnames,
    listeners: written.listeners ?? null,
    matches: written.matches.map((match, index) => matchConfig(match, below(spot, "matches", index))),
    paths: written.paths,
    plugins,
    timeoutMs: isBytes ? 0 : (written.timeout ?? building.defaults.timeoutMs),
    isTimeoutTold: !isBytes && written.propagateTimeout,
    isPassthrough: isBytes,
    priority: written.priority,
    backendTimeoutMs: isBytes ? null : (written.retry?.perTryTimeout ?? null),
    retry: isBytes ? null : retryPolicy(written.retry),
    backends: written.backends.map((backend, index) =>
      backendConfig(backend, below(spot, "backends", index), building),
    ),
    source: placeOf(spot),
  };
}

/** Checks the names and plugins of a route at `spot` that has other faults already, so that it hides none. */
export function checkReadable(route: ReadableRoute, spot: Spot, building: Building): void {
  checkUses(route.plugins, below(spot, "plugins"), building);
  for (const [index, name] of route.listeners.entries()) {
    if (name !== null) checkListener(name, below(spot, "listeners", index), building);
  }
  for (const [index, { service, plugins }] of route.backends.entries()) {
    const at = below(spot, "backends", index);
    if (service !== null) checkService(service, below(at, "service"), building);
    checkUses(plugins, below(at, "plugins"), building);
  }
}
