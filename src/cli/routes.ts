import { parseArgs } from "node:util";
import { loadConfig } from "../config/source.ts";
import type { FieldConfig, MatchConfig, PluginUse, RouteConfig } from "../config/types.ts";
import { type FieldKind, wantedOf } from "../route/match.ts";
import { parsePath, pathText } from "../route/path-match.ts";
import { parseValue } from "../route/value-test.ts";
import { type Command, EXIT } from "./command.ts";
import { table } from "./table.ts";

export const routes: Command = {
  name: "routes",
  usage: "torii routes [--config torii.yaml] [--json]",
  summary: "lists the routes of the configuration files",
  async run(args, context) {
    const { values } = parseArgs({
      args: [...args],
      options: { config: { type: "string" }, json: { type: "boolean", default: false } },
    });
    const { config } = await loadConfig({
      path: values.config ?? null,
      env: context.env,
      cwd: context.cwd,
      openCatalog: context.openCatalog,
      readCertificate: "skipped",
    });
    const rows = config.routes.map(describeRoute);
    context.out(values.json ? JSON.stringify(rows, null, 2) : routeTable(rows));
    return EXIT.done;
  },
};

/** A route in words. */
interface RouteRow {
  readonly name: string;
  readonly hostnames: readonly string[];
  readonly listeners: readonly string[];
  readonly matches: readonly string[];
  readonly plugins: readonly string[];
  readonly backends: readonly { readonly service: string; readonly weight: number }[];
  readonly source: string;
}

function describeRoute(route: RouteConfig): RouteRow {
  return {
    name: route.name,
    hostnames: route.hostnames.length === 0 ? ["*"] : route.hostnames,
    listeners: route.listeners ?? ["*"],
    matches: route.isPassthrough ? ["bytes"] : route.matches.map(matchText),
    plugins: route.plugins.map(pluginText),
    backends: route.backends.map(({ service, weight }) => ({ service, weight })),
    source: `${route.source.file}:${route.source.line ?? 1}`,
  };
}

/** A use of a plugin, by its name. */
export function pluginText(use: PluginUse): string {
  return use.middleware === null ? use.name : "(function)";
}

function matchText(match: MatchConfig): string {
  const parts = [match.path === null ? "/*" : pathText(parsePath(match.path))];
  if (match.methods.length > 0) parts.unshift(match.methods.join("|"));
  parts.push(...match.headers.map((field) => fieldText("header", field)));
  parts.push(...match.query.map((field) => fieldText("query", field)));
  return parts.join(" ");
}

function fieldText(kind: FieldKind, { name, value }: FieldConfig): string {
  return `${kind} ${name} (${wantedOf(kind, { name, test: parseValue(value) })})`;
}

function routeTable(rows: readonly RouteRow[]): string {
  const cells = rows.map(({ name, hostnames, listeners, matches, plugins, backends }) => [
    name,
    hostnames.join(", "),
    listeners.join(", "),
    matches.join("; "),
    plugins.join(", ") || "-",
    backends.map(({ service, weight }) => (backends.length > 1 ? `${service} (${weight})` : service)).join(", ") || "-",
  ]);
  return table(["ROUTE", "HOSTS", "LISTENERS", "MATCHES", "PLUGINS", "BACKENDS"], cells);
}
