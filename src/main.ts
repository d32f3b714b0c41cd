import { version } from "../package.json";
import { builtIns } from "../plugins/index.ts";
import { main } from "./cli/main.ts";
import { createCatalogs } from "./config/plugin-files.ts";

/** A process that has served is over so soon after its last word. */
const LEAVE_MS = 250;

const args = process.argv.slice(2);
process.exitCode = await main(args, {
  env: process.env,
  cwd: process.cwd(),
  version,
  openCatalog: createCatalogs(builtIns),
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
});

// The runtime holds TLS connections that were ended for twelve seconds when their clients do not answer, whatever is
// done to them: they are no reason to stay. Other commands wait for whoever reads what they say.
if (args[0] === "run" || args[0] === "worker") setTimeout(() => process.exit(), LEAVE_MS).unref();
