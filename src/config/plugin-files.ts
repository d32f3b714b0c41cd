import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import type { Plugin } from "../plugin.ts";
import type { Catalog, OpenCatalog } from "./catalog.ts";
import { isLeaving } from "./content-mark.ts";
import { importIssues, serveToriiModule } from "./module-file.ts";
import { IMPORT_TIMEOUT_MS, importWithin } from "./module-import.ts";
import { modulePlugin } from "./plugin-modules.ts";
import { readFault, readRegularFile } from "./regular-file.ts";

/** A plugin and the file that it came from. */
interface Found {
  readonly file: string;
  readonly plugin: Plugin;
}

/**
 * Opens catalogs over the built-in plugins, the user's folder (one plugin for each .ts or .js file right in it;
 * what they share stands in a folder below) and the modules that are named. A file that was edited is loaded anew
 * with the next catalog. Rejects with a ConfigError that holds the faults of all plugin files; one of them is a file
 * or a module whose top level takes longer than `importTimeoutMs`.
 */
export function createCatalogs(builtIns: readonly Plugin[], importTimeoutMs = IMPORT_TIMEOUT_MS): OpenCatalog {
  const known = new Map(builtIns.map((plugin) => [plugin.name, plugin]));
  return async ({ folder, names }) => {
    const own = folder === null ? [] : await userPlugins(folder, known, importTimeoutMs);
    const plugins = new Map([...known, ...own.map(({ plugin }): [string, Plugin] => [plugin.name, plugin])]);
    const modules = await namedModules(
      names.filter((name) => !plugins.has(name)),
      { folder: folder ?? process.cwd(), timeoutMs: importTimeoutMs },
    );
    return catalogOf(plugins, modules);
  };
}

function catalogOf(plugins: ReadonlyMap<string, Plugin>, modules: ReadonlyMap<string, Plugin>): Catalog {
  return { get: (name) => plugins.get(name) ?? modules.get(name), names: () => [...plugins.keys()] };
}

async function namedModules(
  names: readonly string[],
  from: { readonly folder: string; readonly timeoutMs: number },
): Promise<ReadonlyMap<string, Plugin>> {
  const modules = new Map<string, Plugin>();
  for (const name of new Set(names)) {
    const plugin = await modulePlugin(name, from);
    if (plugin !== undefined) modules.set(name, plugin);
  }
  return modules;
}

async function userPlugins(
  folder: string,
  builtIns: ReadonlyMap<string, Plugin>,
  timeoutMs: number,
): Promise<readonly Found[]> {
  const paths = await pluginFiles(folder);
  const results = await Promise.all(paths.map((path) => loadPlugin(path, timeoutMs)));
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

type Loaded = Found | { readonly issues: readonly ConfigIssue[] };

async function loadPlugin(path: string, timeoutMs: number): Promise<Loaded> {
  const file = join(basename(dirname(path)), basename(path));
  try {
    const mark = Bun.hash(await readRegularFile(path)).toString(36);
    return await importPlugin(file, `${path}?v=${mark}`, timeoutMs);
  } catch (error) {
    return { issues: [issueOf(file, readFault(error))] };
  }
}

/** The same content is the same module; an old one stays in memory. */
async function importPlugin(file: string, specifier: string, timeoutMs: number): Promise<Loaded> {
  serveToriiModule();
  try {
    const loaded: unknown = await importWithin(specifier, timeoutMs);
    const plugin: unknown = Reflect.get(Object(loaded), "default");
    if (isPlugin(plugin)) return { file, plugin };
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
