import { maskSecrets } from "../config/mask.ts";
import type { Loaded } from "../config/source.ts";
import type { FieldConfig, MatchConfig, PluginUse, RouteConfig } from "../config/types.ts";
import { type FieldKind, wantedOf } from "../route/match.ts";
import { parsePath, pathText } from "../route/path-match.ts";
import { parseValue } from "../route/value-test.ts";
import type { RoutesView, RouteView } from "./schemas.ts";

/** The routes of a configuration as they are shown: every secret in them is `***`. */
export function routesOf({ config, secrets }: Pick<Loaded, "config" | "secrets">): RoutesView {
  const mask = (text: string) => maskSecrets(text, secrets);
  return { routes: config.routes.map((route) => routeView(route, mask)) };
}

type Mask = (text: string) => string;

function routeView(route: RouteConfig, mask: Mask): RouteView {
  const { name, hostnames, listeners, isPassthrough, priority, timeoutMs, source } = route;
  return {
    name,
    hostnames: [...hostnames],
    listeners: listeners === null ? null : [...listeners],
    isPassthrough,
    priority,
    matches: isPassthrough ? [] : route.matches.map((match) => matchView(match, mask)),
    plugins: route.plugins.map(pluginText),
    backends: route.backends.map(({ service, weight, isValid, plugins }) => {
      return { service, weight, isValid, plugins: plugins.map(pluginText) };
    }),
    timeoutMs,
    source: `${source.file}:${source.line ?? 1}`,
  };
}

/** A use of a plugin, by its name. */
export function pluginText(use: PluginUse): string {
  if (use.middleware !== null) return "(function)";
  return use.isShadow ? `${use.name} (shadow)` : use.name;
}

function matchView({ path, methods, headers, query }: MatchConfig, mask: Mask): RouteView["matches"][number] {
  return {
    path: mask(path === null ? "/*" : pathText(parsePath(path))),
    methods: [...methods],
    headers: headers.map((field) => mask(fieldText("header", field))),
    query: query.map((field) => mask(fieldText("query", field))),
  };
}

function fieldText(kind: FieldKind, { name, value }: FieldConfig): string {
  return `${name} (${wantedOf(kind, { name, test: parseValue(value) })})`;
}
