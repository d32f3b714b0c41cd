import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import type { Plugin } from "../plugin.ts";
import type { Catalog, OpenCatalog } from "./catalog.ts";
import { isLeaving } from "./content-mark.ts";
import { importIssues, serveToriiModule } from "./module-file.ts";
import { modulePlugin } from "./plugin-modules.ts";

/** A plugin and the file that it came from. */
interface Found {
  readonly file: string;
  readonly plugin: Plugin;
}

/**
 * Opens catalogs over the built-in plugins, the user's folder (one plugin for each .ts or .js file right in it;
 * what they share stands in a folder below) and the modules that are named. A file that was edited is loaded anew
 * with the next catalog. Rejects with a ConfigError that holds the faults of all plugin files.
 */
export function createCatalogs(builtIns: readonly Plugin[]): OpenCatalog {
  const known = new Map(builtIns.map((plugin) => [plugin.name, plugin]));
  return async ({ folder, names }) => {
    const own = folder === null ? [] : await userPlugins(folder, known);
    const plugins = new Map([...known, ...own.map(({ plugin }): [string, Plugin] => [plugin.name, plugin])]);
    const modules = await namedModules(
      names.filter((name) => !plugins.has(name)),
      folder ?? process.cwd(),
    );
    return catalogOf(plugins, modules);
  };
}

function catalogOf(plugins: ReadonlyMap<string, Plugin>, modules: ReadonlyMap<string, Plugin>): Catalog {
  return { get: (name) => plugins.get(name) ?? modules.get(name), names: () => [...plugins.keys()] };
}

async function namedModules(names: readonly string[], folder: string): Promise<ReadonlyMap<string, Plugin>> {
  const modules = new Map<string, Plugin>();
  for (const name of new Set(names)) {
    const plugin = await modulePlugin(name, folder);
    if (plugin !== undefined) modules.set(name, plugin);
  }
  return modules;
}

async function userPlugins(folder: string, builtIns: ReadonlyMap<string, Plugin>): Promise<readonly Found[]> {
  const results = await Promise.all((await pluginFiles(folder)).map(loadPlugin));
  const found = results.flatMap((result) => ("plugin" in result ? [result] : []));
  const issues = [
    ...results.flatMap((result) => ("plugin" in result ? [] : result.issues)),
    ...found.flatMap((one) => clashes(one, found, builtIns)),
  ];
  if (issues.length > 0) throw new ConfigError(issues);
  return found;
}

async function pluginFiles(folder: string): Promise<readonly string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => /(?<!\.d|\.test)\.[jt]s$/.test(name) && !isLeaving(name));
    return names.sort().map((name) => join(folder, name));
  } catch {
    throw new ConfigError([issueOf(folder, "cannot be read; make this folder, or leave the key plugins out")]);
  }
}

async function loadPlugin(path: string): Promise<Found | { readonly issues: readonly ConfigIssue[] }> {
  serveToriiModule();
  const file = join(basename(dirname(path)), basename(path));
  try {
    const mark = Bun.hash(await Bun.file(path).bytes()).toString(36);
    // The same content is the same module; an old one stays in memory.
    const loaded: { readonly default?: unknown } = await import(`${path}?v=${mark}`);
    if (isPlugin(loaded.default)) return { file, plugin: loaded.default };
    return {
      issues: [issueOf(file, "exports no plugin; write export default definePlugin({ name, options, create })")],
    };
  } catch (thrown) {
    return { issues: importIssues(file, thrown) };
  }
}

function isPlugin(value: unknown): value is Plugin {
  if (typeof value !== "object" || value === null) return false;
  const { name, options, provision }: Partial<Record<keyof Plugin, unknown>> = value;
  const hasSchema = typeof options === "object" && options !== null && "safeParse" in options;
  return typeof name === "string" && hasSchema && typeof provision === "function";
}

function clashes({ file, plugin }: Found, all: readonly Found[], builtIns: ReadonlyMap<string, Plugin>): ConfigIssue[] {
  const { name } = plugin;
  if (builtIns.has(name))
    return [issueOf(file, `names its plugin ${name}, as a built-in one is; give it another name`)];
  const first = all.find((other) => other.plugin.name === name);
  if (first === undefined || first.file === file) return [];
  return [issueOf(file, `names its plugin ${name}, as ${first.file} does; give it another name`)];
}

function issueOf(file: string, message: string): ConfigIssue {
  return { file, line: null, column: null, field: "", message };
}
