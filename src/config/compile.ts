import type { MiddlewareHandler } from "hono";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import type { ConfigLimits } from "../limit/plugin-limits.ts";
import { linkChain } from "../route/chain.ts";
import { hostMatches } from "../route/hostname.ts";
import { createIndex } from "../route/index.ts";
import type { Match } from "../route/match.ts";
import { parsePath } from "../route/path-match.ts";
import { pathPolicy } from "../route/path-policy.ts";
import type { RouteRule } from "../route/rule.ts";
import { parseValue } from "../route/value-test.ts";
import type { ForwardPolicy } from "../service/options.ts";
import type { Destination, Service } from "../service/service.ts";
import type { Services } from "../service/services.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { createSplit } from "../traffic/split.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { Catalog } from "./catalog.ts";
import { CompiledPassthrough, passthroughIndex } from "./passthrough.ts";
import { type CompiledBackend, CompiledRoute, type Snapshot } from "./snapshot.ts";
import { SnapshotUse } from "./snapshot-use.ts";
import type { BackendConfig, Config, FieldConfig, MatchConfig, Place, PluginUse, RouteConfig } from "./types.ts";

export interface CompileDeps {
  readonly catalog: Catalog;
  readonly services: Services;
  readonly metrics: Pick<Metrics, "routeSlot" | "serviceSlot">;
  readonly random: () => number;
  /** For the deadlines of routes. */
  readonly wheel: TimerWheel;
  readonly limits: LimitsLoan;
}

/** Limits that one configuration holds, from its compilation to its last request. */
export interface LimitsLoan {
  readonly limits: ConfigLimits;
  /** Resolves when what it opened was reached, or could not be, in bounded time. */
  ready(): Promise<void>;
  /** Called once, when the configuration is no longer in use, or was refused. */
  release(): void;
}

/**
 * Compiles a checked configuration into what requests read. Resolves when the registry of every service has told
 * its endpoints. Rejects with a ConfigError when a plugin refuses its options; nothing is held then.
 */
export async function compile(config: Config, version: string, deps: CompileDeps): Promise<Snapshot> {
  const chains = linkRoutes(config.routes, deps);
  const options = new Map(config.services.map((service) => [service.name, service.options]));
  const services = new Map<string, Service>();
  for (const [name, serviceOptions] of options) services.set(name, deps.services.obtain(name, serviceOptions));
  const subsets: { close(): void }[] = [];
  const use = new SnapshotUse(() => {
    for (const subset of subsets) subset.close();
    for (const service of services.values()) deps.services.release(service);
    deps.limits.release();
  });
  const leadTo = (backend: BackendConfig) => destinationOf(backend, services, subsets);
  const context: RouteContext = { policies: sharedPolicies(), chains, leadTo, use, deps };
  const rules = config.routes.flatMap((route, order) =>
    route.isPassthrough ? [] : [ruleOf(route, order, compileRoute(route, context))],
  );
  const passed = config.routes.filter((route) => route.isPassthrough);
  const passthrough = passthroughIndex(
    config.listeners,
    passed.map((route) => [route, compilePassthrough(route, context)] as const),
  );
  await Promise.all([deps.limits.ready(), ...[...services.values()].map((service) => service.ready)]);
  const index = createIndex(rules);
  return Object.freeze({ version, config, rules, index, passthrough, serves: servedHosts(config), use });
}

function servedHosts(config: Config): Snapshot["serves"] {
  const bound = config.listeners.filter(({ hostnames }) => hostnames.length > 0);
  if (bound.length === 0) return () => true;
  const byName = new Map(bound.map(({ name, hostnames }) => [name, hostnames]));
  return (listener, host) => byName.get(listener)?.some((hostname) => hostMatches(hostname, host)) ?? true;
}

/** When a route is meant, with whatever it stands for. */
export function ruleOf<T>(route: RouteConfig, order: number, target: T): RouteRule<T> {
  return Object.freeze({
    name: route.name,
    hostnames: route.hostnames,
    listeners: route.listeners,
    matches: route.matches.map(compileMatch),
    paths: pathPolicy(route.paths),
    order,
    target,
  });
}

function compileMatch(match: MatchConfig): Match {
  return {
    path: match.path === null ? null : parsePath(match.path),
    methods: match.methods,
    headers: match.headers.map(compileField),
    query: match.query.map(compileField),
  };
}

function compileField(field: FieldConfig) {
  return { name: field.name, test: parseValue(field.value) };
}

/** The middleware of each use of a plugin, for one route: a plugin of the defaults is made for each route anew. */
type Linked = ReadonlyMap<PluginUse, MiddlewareHandler>;

type LinkDeps = Pick<CompileDeps, "catalog" | "limits">;

function linkRoutes(routes: readonly RouteConfig[], deps: LinkDeps): ReadonlyMap<RouteConfig, Linked> {
  const issues: ConfigIssue[] = [];
  const linked = new Map(routes.map((route) => [route, linkRoute(route, deps, issues)]));
  if (issues.length === 0) return linked;
  deps.limits.release();
  throw new ConfigError(issues);
}

/**
 * The faults that come up when plugins are made, as at a start: what each refuses, and limits that clash. What is made
 * is dropped, so it must be of plugins that hold nothing.
 */
export function pluginFaults(
  routes: readonly RouteConfig[],
  catalog: Catalog,
  limits: ConfigLimits,
): readonly ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const deps = { catalog, limits: { limits, ready: () => Promise.resolve(), release() {} } };
  for (const route of routes) linkRoute(route, deps, issues);
  return issues;
}

function linkRoute(route: RouteConfig, deps: LinkDeps, issues: ConfigIssue[]): Linked {
  const linked = new Map<PluginUse, MiddlewareHandler>();
  for (const use of [...route.plugins, ...route.backends.flatMap((backend) => backend.plugins)]) {
    try {
      linked.set(use, provision(use, route.name, deps));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      issues.push({ ...use.source, message: `plugin ${use.name} refuses its options: ${reason}` });
    }
  }
  return linked;
}

function provision(use: PluginUse, route: string, { catalog, limits }: LinkDeps): MiddlewareHandler {
  // A middleware written into a TypeScript route file is typed by its author; Hono's own type is wider.
  if (use.middleware !== null) return use.middleware as MiddlewareHandler;
  const plugin = catalog.get(use.name);
  if (plugin === undefined) throw new Error("there is no such plugin");
  return plugin.provision(use.options, {
    route,
    limits: limits.limits.at(placeText(use.source)),
    isShadow: use.isShadow,
  });
}

function placeText({ file, line, field }: Place): string {
  return `${line === null ? file : `${file}:${line}`} ${field}`;
}

/** Gives equal policies as one object, as most routes have the same. */
function sharedPolicies(): (route: RouteConfig) => ForwardPolicy {
  const known = new Map<string, ForwardPolicy>();
  return ({ timeoutMs, backendTimeoutMs, priority, retry }) => {
    const key = `${timeoutMs} ${backendTimeoutMs} ${priority} ${JSON.stringify(retry)}`;
    const policy = known.get(key) ?? Object.freeze({ timeoutMs, attemptTimeoutMs: backendTimeoutMs, priority, retry });
    known.set(key, policy);
    return policy;
  };
}

interface RouteContext {
  readonly policies: (route: RouteConfig) => ForwardPolicy;
  readonly chains: ReadonlyMap<RouteConfig, Linked>;
  /** Null: nobody defines the service. */
  readonly leadTo: (backend: BackendConfig) => Destination | null;
  readonly use: SnapshotUse;
  readonly deps: CompileDeps;
}

/** What a backend leads to; a subset is held in `subsets` until all are closed. */
function destinationOf(
  { service: name, isValid, subset: selector }: BackendConfig,
  services: ReadonlyMap<string, Service>,
  subsets: { close(): void }[],
): Destination | null {
  const service = isValid ? (services.get(name) ?? null) : null;
  if (service === null || selector === null) return service;
  const subset = service.subset(selector);
  subsets.push(subset);
  return subset;
}

function compileRoute(route: RouteConfig, { policies, chains, leadTo, use, deps }: RouteContext): CompiledRoute {
  const chainOf = (uses: readonly PluginUse[]) => {
    const handlers = uses.flatMap((one) => chains.get(route)?.get(one) ?? []);
    return handlers.length === 0 ? null : linkChain(handlers);
  };
  const own = chainOf(route.plugins);
  const backends: readonly CompiledBackend[] = route.backends.map((backend) => ({
    service: leadTo(backend),
    chain: backend.plugins.length === 0 ? own : chainOf([...route.plugins, ...backend.plugins]),
    slot: deps.metrics.serviceSlot(backend.service, route.name),
  }));
  return new CompiledRoute({
    name: route.name,
    priority: route.priority,
    chain: own,
    backends,
    split: createSplit(route.backends, deps.random),
    policy: policies(route),
    toldMs: route.isTimeoutTold ? route.timeoutMs : 0,
    wheel: deps.wheel,
    slot: deps.metrics.routeSlot(route.name),
    use,
  });
}

function compilePassthrough(route: RouteConfig, { leadTo, use, deps }: RouteContext): CompiledPassthrough {
  return new CompiledPassthrough({
    name: route.name,
    services: route.backends.map(leadTo),
    split: createSplit(route.backends, deps.random),
    use,
  });
}
