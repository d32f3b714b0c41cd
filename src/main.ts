import { version } from "../package.json";
import { builtIns } from "../plugins/index.ts";
import { main } from "./cli/main.ts";
import { createCatalogs } from "./config/plugin-files.ts";

process.exitCode = await main(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  version,
  openCatalog: createCatalogs(builtIns),
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
});
