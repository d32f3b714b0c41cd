import { addFault, type Building } from "./building.ts";
import { passesBytes } from "./byte-route.ts";
import { below, placeOf, type Spot } from "./check.ts";
import { filtersFault, filterUse } from "./http-route-filters.ts";
import { type HttpRouteDocument, type HttpRouteFilter, type HttpRouteRule, pathSpec } from "./http-route-schema.ts";
import { pluginUses, withDefaults } from "./plugin-uses.ts";
import { httpRouteRetryPolicy } from "./retry.ts";
import { checkListener, headerField } from "./route-config.ts";
import type { BackendConfig, FieldConfig, MatchConfig, PluginUse, RouteConfig } from "./types.ts";
import { quote } from "./wording.ts";

type MatchDocument = HttpRouteRule["matches"][number];
type ValueDocument = MatchDocument["headers"][number];

/** The plugins that filters become; what they name is always asked of the catalog. */
export const FILTER_PLUGINS = ["request-headers", "response-headers", "redirect", "rewrite", "cors"] as const;

/** Of equal names only the first counts, as the Gateway API says. */
function fields(written: readonly ValueDocument[], nameOf: (name: string) => string): readonly FieldConfig[] {
  const first = new Map<string, FieldConfig>();
  for (const { name: raw, type, value } of written) {
    const name = nameOf(raw);
    if (!first.has(name)) first.set(name, { name, value: type === "Exact" ? value : { regex: value } });
  }
  return [...first.values()];
}

function matchConfig(written: MatchDocument, spot: Spot): MatchConfig {
  return {
    path: pathSpec(written.path),
    methods: written.method === undefined ? [] : [written.method],
    headers: fields(written.headers, (name) => name.toLowerCase()).map(headerField),
    query: fields(written.queryParams, (name) => name),
    source: placeOf(spot),
  };
}

function matchesOf(rule: HttpRouteRule, spot: Spot): readonly MatchConfig[] {
  if (rule.matches.length === 0) {
    return [{ path: { prefix: "/" }, methods: [], headers: [], query: [], source: placeOf(spot) }];
  }
  return rule.matches.map((written, index) => matchConfig(written, below(spot, "matches", index)));
}

function usesOf(filters: readonly HttpRouteFilter[], spot: Spot, building: Building): readonly PluginUse[] {
  return pluginUses(filters.map(filterUse), spot, building);
}

function backendConfig(ref: HttpRouteRule["backendRefs"][number], spot: Spot, building: Building): BackendConfig {
  const isService = ref.kind === "Service" && ref.group === "";
  return {
    service: ref.name,
    isValid: isService && (building.services === null || building.services.has(ref.name)),
    weight: ref.weight,
    subset: null,
    plugins: usesOf(ref.filters, below(spot, "filters"), building),
    source: placeOf(spot),
  };
}

function checkHttpListener(name: string, spot: Spot, building: Building): void {
  checkListener(name, spot, building);
  const protocol = building.listeners?.get(name);
  if (protocol === undefined || !passesBytes(protocol)) return;
  addFault(building, spot, `${quote(name)} passes bytes (${protocol}); name a listener of http or https`);
}

/** Names of the listeners that the route is bound to; null when one parent is bound as a whole. */
function listenersOf(
  written: Pick<HttpRouteDocument, "spec">,
  spot: Spot,
  building: Building,
): readonly string[] | null {
  const sections = written.spec.parentRefs.map((parent) => parent.sectionName);
  for (const [index, name] of sections.entries()) {
    if (name !== undefined) checkHttpListener(name, below(spot, "spec", "parentRefs", index, "sectionName"), building);
  }
  const names = sections.filter((name) => name !== undefined);
  return names.length === 0 || names.length < sections.length ? null : names;
}

function checkFilters(rule: HttpRouteRule, spot: Spot, building: Building): void {
  const message = filtersFault(rule.filters, rule.matches);
  if (message !== null) addFault(building, below(spot, "filters"), message);
  for (const [index, ref] of rule.backendRefs.entries()) {
    const fault = filtersFault(ref.filters, rule.matches);
    if (fault !== null) addFault(building, below(spot, "backendRefs", index, "filters"), fault);
  }
}

function ruleRoute(
  rule: HttpRouteRule,
  spot: Spot,
  shared: Pick<RouteConfig, "name" | "hostnames" | "listeners"> & { readonly building: Building },
): RouteConfig {
  const { building, ...rest } = shared;
  checkFilters(rule, spot, building);
  const own = rule.filters.length === 0 ? undefined : usesOf(rule.filters, below(spot, "filters"), building);
  return {
    ...rest,
    matches: matchesOf(rule, spot),
    paths: {},
    plugins: withDefaults(own, building.defaults.plugins),
    timeoutMs: rule.timeouts.request ?? building.defaults.timeoutMs,
    isTimeoutTold: false,
    isPassthrough: false,
    priority: "normal",
    backendTimeoutMs: rule.timeouts.backendRequest ?? null,
    retry: httpRouteRetryPolicy(rule.retry),
    backends: rule.backendRefs.map((ref, index) => backendConfig(ref, below(spot, "backendRefs", index), building)),
    source: placeOf(spot),
  };
}

/**
 * The routes of an HTTPRoute, one for each rule, named `namespace/name/rule` after the rule's name or index.
 * A backend that is no known service is marked, not refused: its share answers 500.
 */
export function httpRouteConfigs(
  written: Pick<HttpRouteDocument, "metadata" | "spec">,
  spot: Spot,
  building: Building,
): readonly RouteConfig[] {
  const { name, namespace } = written.metadata;
  const base = namespace === undefined ? name : `${namespace}/${name}`;
  const listeners = listenersOf(written, spot, building);
  return written.spec.rules.map((rule, index) =>
    ruleRoute(rule, below(spot, "spec", "rules", index), {
      name: `${base}/${rule.name ?? index}`,
      hostnames: written.spec.hostnames,
      listeners,
      building,
    }),
  );
}
