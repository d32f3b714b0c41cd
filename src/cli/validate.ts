import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { isGatewayFile } from "../config/file-kind.ts";
import { type LoadOptions, loadConfig } from "../config/source.ts";
import { ConfigError, formatIssue } from "../errors.ts";
import { createCertificateReader } from "../gateway/certificate-reader.ts";
import { type Command, EXIT, UsageError } from "./command.ts";

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
      const { config, warnings } = await loadConfig({ ...files, env, cwd, openCatalog, readCertificate });
      for (const issue of warnings) context.out(`warning: ${formatIssue(issue)}`);
      context.out(`valid: ${counted(config.routes, "route")}, ${counted(config.services, "service")}`);
      return EXIT.done;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const issue of error.issues) context.out(formatIssue(issue));
      context.err(counted(error.issues, "fault"));
      return EXIT.failed;
    } finally {
      await reader.close();
    }
  },
};

function counted(things: readonly unknown[], what: string): string {
  return `${things.length} ${what}${things.length === 1 ? "" : "s"}`;
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
