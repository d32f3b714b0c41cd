import { version } from "../package.json";
import { builtIns } from "../plugins/index.ts";
import { main } from "./cli/main.ts";
import type { CatalogWish } from "./config/catalog.ts";

const openCatalog = async (_wish: CatalogWish) => {
  const map = new Map(builtIns.map((plugin) => [plugin.name, plugin]));
  return { get: (name: string) => map.get(name), names: () => [...map.keys()] };
};

process.exitCode = await main(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  version,
  openCatalog,
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
});
