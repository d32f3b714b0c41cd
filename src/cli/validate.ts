import { parseArgs } from "node:util";
import { loadConfig } from "../config/source.ts";
import { ConfigError, formatIssue } from "../errors.ts";
import { type Command, EXIT } from "./command.ts";

export const validate: Command = {
  name: "validate",
  usage: "torii validate [--config torii.yaml] [FILE…]",
  summary: "checks the configuration, or the route files named, and prints every fault",
  async run(args, context) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { config: { type: "string" } },
      allowPositionals: true,
    });
    const routeFiles = positionals.length === 0 ? {} : { routeFiles: positionals };
    try {
      const { config } = await loadConfig({
        path: values.config ?? null,
        env: context.env,
        cwd: context.cwd,
        openCatalog: context.openCatalog,
        ...routeFiles,
      });
      context.out(`valid: ${config.routes.length} routes, ${config.services.length} services`);
      return EXIT.done;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const issue of error.issues) context.out(formatIssue(issue));
      context.err(`${error.issues.length} ${error.issues.length === 1 ? "fault" : "faults"}`);
      return EXIT.failed;
    }
  },
};
