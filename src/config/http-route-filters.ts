import type { HttpRouteFilter, HttpRouteRule, PathModifier } from "./http-route-schema.ts";
import type { PluginUseDocument } from "./route-schema.ts";

type Modifier = Extract<HttpRouteFilter, { readonly type: "RequestHeaderModifier" }>["requestHeaderModifier"];
type Header = Modifier["set"][number];

/** Of equal names only the first counts, as the Gateway API says. */
function record(headers: readonly Header[]): Record<string, string> | undefined {
  if (headers.length === 0) return undefined;
  const first = new Map<string, Header>();
  for (const header of headers) {
    const name = header.name.toLowerCase();
    if (!first.has(name)) first.set(name, header);
  }
  return Object.fromEntries([...first.values()].map(({ name, value }) => [name, value]));
}

/** The options without those that were not given: a plugin's strict schema takes no undefined for them. */
function given(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function list(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values;
}

function modifierOptions({ set, add, remove }: Modifier): Record<string, unknown> {
  return given({ set: record(set), add: record(add), remove: list(remove) });
}

function pathOptions(path: PathModifier | undefined): unknown {
  if (path === undefined) return undefined;
  return path.type === "ReplaceFullPath" ? { full: path.replaceFullPath } : { prefix: path.replacePrefixMatch };
}

/** A Gateway API filter as the use of the built-in plugin that does the same. */
export function filterUse(filter: HttpRouteFilter): PluginUseDocument {
  switch (filter.type) {
    case "RequestHeaderModifier":
      return { use: "request-headers", with: modifierOptions(filter.requestHeaderModifier) };
    case "ResponseHeaderModifier":
      return { use: "response-headers", with: modifierOptions(filter.responseHeaderModifier) };
    case "RequestRedirect": {
      const { scheme, hostname, path, port, statusCode } = filter.requestRedirect;
      return { use: "redirect", with: given({ scheme, hostname, port, path: pathOptions(path), status: statusCode }) };
    }
    case "URLRewrite": {
      const { hostname, path } = filter.urlRewrite;
      return { use: "rewrite", with: given({ hostname, path: pathOptions(path) }) };
    }
    case "CORS": {
      const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAge } = filter.cors;
      const lists = { methods: list(allowMethods), headers: list(allowHeaders), expose: list(exposeHeaders) };
      return { use: "cors", with: given({ origins: allowOrigins, ...lists, credentials: allowCredentials, maxAge }) };
    }
  }
}

function pathOf(filter: HttpRouteFilter): PathModifier | undefined {
  if (filter.type === "RequestRedirect") return filter.requestRedirect.path;
  return filter.type === "URLRewrite" ? filter.urlRewrite.path : undefined;
}

/** What is wrong with filters that stand together in this rule; null when nothing is. */
export function filtersFault(filters: readonly HttpRouteFilter[], matches: HttpRouteRule["matches"]): string | null {
  const types = new Set(filters.map((filter) => filter.type));
  if (types.has("RequestRedirect") && types.has("URLRewrite")) {
    return "RequestRedirect and URLRewrite cannot stand in one rule; write them in two rules";
  }
  const isPrefixReplaced = filters.some((filter) => pathOf(filter)?.type === "ReplacePrefixMatch");
  if (isPrefixReplaced && matches.some((match) => match.path.type !== "PathPrefix")) {
    return "ReplacePrefixMatch needs a PathPrefix in every match of the rule; write ReplaceFullPath or another match";
  }
  return null;
}
