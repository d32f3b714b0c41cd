import { parseArgs } from "node:util";
import { routesOf } from "../admin/routes-view.ts";
import { type RoutesView, type RouteView, routesView } from "../admin/schemas.ts";
import { loadConfig } from "../config/source.ts";
import { type AdminAnswer, askAdmin } from "./admin-client.ts";
import { ADMIN_ARGUMENTS, ADMIN_USAGE, adminPlace } from "./admin-place.ts";
import { type Command, type CommandContext, EXIT, UsageError } from "./command.ts";
import { table } from "./table.ts";

export const routes: Command = {
  name: "routes",
  usage: `torii routes [--files] ${ADMIN_USAGE}`,
  summary: "lists the running gateway's routes; with --files those of the configuration files",
  async run(args, context) {
    const options = { ...ADMIN_ARGUMENTS, files: { type: "boolean", default: false } } as const;
    const { values } = parseArgs({ args: [...args], options });
    if (values.files && (values.admin ?? values.token) !== undefined)
      throw new UsageError("--files asks no gateway, so that --admin and --token have no meaning");
    const answer = values.files
      ? await fromFiles(values.config ?? null, context)
      : await askAdmin(adminPlace(values, context), { path: "/v1/routes", schema: routesView });
    context.out(values.json ? JSON.stringify(answer.json, null, 2) : routeTable(answer.view().routes));
    return EXIT.done;
  },
};

async function fromFiles(
  path: string | null,
  { env, cwd, openCatalog }: CommandContext,
): Promise<AdminAnswer<RoutesView>> {
  const view = routesOf(await loadConfig({ path, env, cwd, openCatalog, readCertificate: "skipped" }));
  return { json: view, view: () => view };
}

function matchText({ path, methods, headers, query }: RouteView["matches"][number]): string {
  const fields = [...headers.map((text) => `header ${text}`), ...query.map((text) => `query ${text}`)];
  return [...(methods.length > 0 ? [methods.join("|")] : []), path, ...fields].join(" ");
}

function routeTable(rows: readonly RouteView[]): string {
  const cells = rows.map(({ name, hostnames, listeners, isPassthrough, matches, plugins, backends }) => [
    name,
    hostnames.join(", ") || "*",
    listeners?.join(", ") ?? "*",
    isPassthrough ? "bytes" : matches.map(matchText).join("; "),
    plugins.join(", ") || "-",
    backends.map(({ service, weight }) => (backends.length > 1 ? `${service} (${weight})` : service)).join(", ") || "-",
  ]);
  return table(["ROUTE", "HOSTS", "LISTENERS", "MATCHES", "PLUGINS", "BACKENDS"], cells);
}
