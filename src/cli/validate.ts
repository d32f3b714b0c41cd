import { resolve } from "node:path";
import { parseArgs } from "node:util";
import * as z from "zod";
import { builtIns } from "../../plugins/index.ts";
import type { Catalog } from "../config/catalog.ts";
import { pluginFaults } from "../config/compile.ts";
import { isGatewayFile } from "../config/file-kind.ts";
import { type Loaded, type LoadOptions, loadConfig } from "../config/source.ts";
import { ConfigError, formatIssue } from "../errors.ts";
import { createCertificateReader } from "../gateway/certificate-reader.ts";
import { createMemoryLimits } from "../limit/plugin-limits.ts";
import { definePlugin } from "../plugin.ts";
import { type Command, EXIT, UsageError } from "./command.ts";
import { counted } from "./table.ts";

export const validate: Command = {
  name: "validate",
  usage: "torii validate [--config torii.yaml] [FILE…]",
  summary: "checks the configuration, or only the files named (torii.yaml or route files), and prints every fault",
  async run(args, context) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { config: { type: "string" } },
      allowPositionals: true,
    });
    const files = await sortedOut(values.config ?? null, positionals, context.cwd);
    const { env, cwd, openCatalog } = context;
    const whenAway = (_name: string, _redis: unknown, reason: string) => ({ skipped: reason });
    const reader = createCertificateReader({ open: null, whenAway });
    try {
      const readCertificate = reader.read;
      const loaded = await loadConfig({ ...files, env, cwd, openCatalog, readCertificate });
      const { config, warnings } = loaded;
      await checkBuiltIns(loaded);
      for (const issue of warnings) context.out(`warning: ${formatIssue(issue)}`);
      context.out(`valid: ${counted(config.routes.length, "route")}, ${counted(config.services.length, "service")}`);
      return EXIT.done;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const issue of error.issues) context.out(formatIssue(issue));
      context.err(counted(error.issues.length, "fault"));
      return EXIT.failed;
    } finally {
      await reader.close();
    }
  },
};

// Nothing is known of what it would do, or open, when it is made.
const OTHER = definePlugin({ name: "other", options: z.unknown(), create: () => (_, next) => next() });

/** Makes the built-in plugins as a start would; rejects with what comes up then. */
async function checkBuiltIns({ config, catalog }: Loaded): Promise<void> {
  const own = new Set(builtIns);
  const get: Catalog["get"] = (name) => {
    const plugin = catalog?.get(name);
    return plugin !== undefined && own.has(plugin) ? plugin : OTHER;
  };
  const limits = createMemoryLimits();
  const issues = pluginFaults(config.routes, { get, names: () => [] }, limits);
  await limits.close();
  if (issues.length > 0) throw new ConfigError(issues);
}

/** Tells the gateway's file from route files. Without route files those in the routes folder are meant. */
async function sortedOut(
  config: string | null,
  files: readonly string[],
  cwd: string,
): Promise<Pick<LoadOptions, "path" | "routeFiles">> {
  const gatewayFiles = config === null ? [] : [config];
  const routeFiles: string[] = [];
  for (const file of files) {
    const isGateway = await isGatewayFile(resolve(cwd, file));
    (isGateway ? gatewayFiles : routeFiles).push(file);
  }
  const [path = null, second] = gatewayFiles;
  if (second !== undefined) throw new UsageError(`${path} and ${second} are both a gateway's file; give one`);
  return routeFiles.length === 0 ? { path } : { path, routeFiles };
}
