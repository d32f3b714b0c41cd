import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { assemble } from "./assemble.ts";
import type { Building } from "./building.ts";
import { checkClashes } from "./byte-route.ts";
import type { Catalog, OpenCatalog } from "./catalog.ts";
import { type ReadCertificate, type StoredMarks, storedMarks } from "./certificate-store.ts";
import { below, placeOf } from "./check.ts";
import { type Entries, pluginNames, readEntries } from "./entries.ts";
import { type FileDeps, readConfigFile, reasonOf, routeFiles, shownPath } from "./files.ts";
import { gatewayConfig } from "./gateway-config.ts";
import { defaultGateway, type Gateway, readGatewayDocument } from "./gateway-document.ts";
import { createInterpolator, type Interpolator } from "./interpolate.ts";
import { protocolOf } from "./listener-fit.ts";
import { LoadError } from "./load-error.ts";
import { IMPORT_TIMEOUT_MS } from "./module-import.ts";
import { createPace, type Pace } from "./pace.ts";
import { createPemFiles } from "./pem-files.ts";
import { pluginUses, usedNames } from "./plugin-uses.ts";
import { redisConfig } from "./redis-config.ts";
import { readRegularFileSync } from "./regular-file.ts";
import { keepSecrets } from "./secret-values.ts";
import type { TlsReading } from "./tls-config.ts";
import type { Config } from "./types.ts";
import { quote, shortened } from "./wording.ts";

export interface LoadOptions {
  /** `torii.yaml` or what stands for it; null: the one in `cwd`, and the defaults when there is none. */
  readonly path: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here, and files are shown relative to it. The process's own by default. */
  readonly cwd?: string;
  /** Route files to read instead of those in the routes folder. */
  readonly routeFiles?: readonly string[];
  /** Without it, names and options of plugins are not checked. */
  readonly openCatalog?: OpenCatalog;
  /** How long the top level of a TypeScript route file may take; ten seconds by default. */
  readonly importTimeoutMs?: number;
  /** Epoch milliseconds, by which certificates are judged; the system's clock by default. */
  readonly nowAt?: number;
  /** Fingerprints of certificates that are in force: that one of them has expired does not refuse the rest. */
  readonly certificatesInForce?: ReadonlySet<string>;
  /** Reads certificates that stand in the store. Without it one is a fault; `skipped` makes it a warning. */
  readonly readCertificate?: ReadCertificate | "skipped";
}

/** A configuration that passed every check. */
export interface Loaded {
  readonly config: Config;
  /** Null when no plugin was checked. */
  readonly catalog: Catalog | null;
  /** What is right now and will not stay so, such as a certificate that expires soon. */
  readonly warnings: readonly ConfigIssue[];
  /** Absolute paths of files and folders whose change may change the configuration. */
  readonly watched: readonly string[];
  /** What came from the store. */
  readonly stored: StoredMarks;
  /** When reading began, in epoch milliseconds. */
  readonly readAt: number;
  /** Texts that must never be shown, longest first. */
  readonly secrets: readonly string[];
}

interface Loading {
  readonly cwd: string;
  /** Absolute. */
  readonly path: string;
  readonly isOptional: boolean;
  readonly interpolator: Interpolator;
  readonly issues: ConfigIssue[];
  readonly pace: Pace;
  readonly importTimeoutMs: number;
}

function filesDeps({ cwd, interpolator, pace, importTimeoutMs }: Loading): FileDeps {
  return { cwd, fill: interpolator.fill, pace, importTimeoutMs };
}

async function readGateway(loading: Loading): Promise<Gateway> {
  const file = shownPath(loading.path, loading.cwd);
  if (loading.isOptional && !existsSync(loading.path)) return defaultGateway(file, true);
  const parsed = await readConfigFile(loading.path, filesDeps(loading));
  loading.issues.push(...parsed.issues);
  const [document, second] = parsed.documents;
  if (second !== undefined) {
    loading.issues.push({
      ...second.place([]),
      message: "is a second document; write one, and routes in their own files",
    });
  }
  if (document === undefined) return defaultGateway(file, parsed.issues.length === 0);
  keepSecrets(document.value, loading.interpolator.keepSecret);
  const { gateway, issues } = readGatewayDocument(document);
  loading.issues.push(...issues);
  return gateway;
}

async function listedFiles(folder: string, gateway: Gateway, loading: Loading): Promise<readonly string[]> {
  try {
    return await routeFiles(folder);
  } catch (error) {
    // Where the folder is not known, its default is looked for, and not missed.
    if (!gateway.knows("routes")) return [];
    const shown = shownPath(folder, loading.cwd);
    const message = `the folder of routes ${quote(shown)} cannot be read (${reasonOf(error)}); create it or name another`;
    loading.issues.push({ ...placeOf(below(gateway.spot, "routes")), message });
    return [];
  }
}

interface RouteEntries extends Entries {
  /** Every file could be parsed, so what no file names does not exist. */
  readonly isComplete: boolean;
}

async function readRouteFiles(paths: readonly string[], loading: Loading): Promise<RouteEntries> {
  const into: Entries = { entries: [], issues: loading.issues, services: new Set() };
  let isComplete = true;
  for (const path of paths) {
    const parsed = await readConfigFile(path, filesDeps(loading));
    loading.issues.push(...parsed.issues);
    if (parsed.issues.length > 0) isComplete = false;
    for (const document of parsed.documents) {
      keepSecrets(document.value, loading.interpolator.keepSecret);
      await readEntries(document, into, loading.pace);
    }
  }
  return { ...into, isComplete };
}

async function opened(
  names: readonly string[],
  folder: string | null,
  at: { readonly loading: Loading; readonly open: OpenCatalog | undefined },
): Promise<Catalog | null> {
  if (at.open === undefined) return null;
  try {
    return await at.open({ folder, names: [...new Set(names)] });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    at.loading.issues.push(...error.issues);
    return null;
  }
}

/** In the order of files as they were read, then by line. */
function sorted(issues: readonly ConfigIssue[], files: readonly string[]): readonly ConfigIssue[] {
  const rank = (issue: ConfigIssue) => {
    const at = files.indexOf(issue.file);
    return at < 0 ? files.length : at;
  };
  return issues.toSorted(
    (a, b) => rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}

/** As they are shown: sorted, and without secrets. */
function shownIssues(issues: readonly ConfigIssue[], loading: Loading, paths: readonly string[]) {
  const files = [loading.path, ...paths].map((path) => shownPath(path, loading.cwd));
  const masked = issues.map((issue) => ({ ...issue, message: shortened(loading.interpolator.mask(issue.message)) }));
  return sorted(masked, files);
}

function startLoading(options: LoadOptions): Loading {
  const cwd = resolve(options.cwd ?? process.cwd());
  const path = resolve(cwd, options.path ?? "torii.yaml");
  const readText = (file: string) => readRegularFileSync(file).toString("utf8");
  const interpolator = createInterpolator({ env: options.env, readText, folder: dirname(path) });
  const { importTimeoutMs = IMPORT_TIMEOUT_MS } = options;
  const isOptional = options.path === null;
  return { cwd, path, isOptional, interpolator, issues: [], pace: createPace(), importTimeoutMs };
}

function buildingOf(
  gateway: Gateway,
  from: { readonly entries: RouteEntries; readonly catalog: Catalog | null; readonly loading: Loading },
): Building {
  const { document, spot } = gateway;
  const base: Building = {
    issues: from.loading.issues,
    catalog: from.catalog,
    services: from.entries.isComplete ? from.entries.services : null,
    listeners: gateway.knows("listeners")
      ? new Map(document.listeners.map((one) => [one.name, protocolOf(one)]))
      : null,
    defaults: { timeoutMs: document.defaults.timeout, plugins: [] },
  };
  const plugins = pluginUses(document.defaults.plugins, below(spot, "defaults", "plugins"), base);
  return { ...base, defaults: { ...base.defaults, plugins } };
}

function readingOf(gateway: Gateway, loading: Loading, options: LoadOptions): TlsReading {
  const { interpolator, issues, cwd, pace } = loading;
  // A faulty `redis` has its own fault.
  const read = gateway.knows("redis") ? (options.readCertificate ?? null) : "skipped";
  const pem = createPemFiles({ folder: dirname(loading.path), cwd, building: loading });
  const vetting = {
    issues,
    warnings: [],
    nowAt: options.nowAt ?? Date.now(),
    inForce: options.certificatesInForce ?? new Set<string>(),
    keepSecret: interpolator.keepSecret,
  };
  const redis = redisConfig(gateway.document.redis, below(gateway.spot, "redis"), { pem, vetting });
  const zone = gateway.document.zone || null;
  return { pem, knowsRedis: gateway.knows("redis"), stored: { redis, read, found: new Map() }, zone, vetting, pace };
}

/**
 * Loads a whole configuration: `torii.yaml`, the route files beside it, and what they name. Reads and checks, starts
 * nothing. Rejects with a LoadError that holds every fault of all files.
 */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const readAt = Date.now();
  const loading = startLoading(options);
  const folder = dirname(loading.path);
  const gateway = await readGateway(loading);
  const routesFolder = resolve(folder, gateway.document.routes);
  const given = options.routeFiles?.map((path) => resolve(loading.cwd, path));
  const paths = given ?? (await listedFiles(routesFolder, gateway, loading));
  const entries = await readRouteFiles(paths, loading);
  const reading = readingOf(gateway, loading, options);
  const rest = await gatewayConfig(gateway, { folder, reading, env: options.env });
  const names = [...usedNames(gateway.document.defaults.plugins), ...pluginNames(entries.entries)];
  // Names of plugins cannot be told right from wrong without the folder of the user's own.
  const open = gateway.knows("plugins") ? options.openCatalog : undefined;
  const catalog = await opened(names, rest.pluginsFolder, { loading, open });
  const parts = await assemble(entries.entries, buildingOf(gateway, { entries, catalog, loading }), reading);
  checkClashes(parts.routes, rest.listeners, loading);
  const watched = [loading.path, ...(given ?? [routesFolder]), ...loading.interpolator.secretFiles()];
  watched.push(...reading.pem.paths(), ...(rest.pluginsFolder === null ? [] : [rest.pluginsFolder]));
  const read = { watched, stored: storedMarks(reading.stored), readAt };
  if (loading.issues.length > 0) throw new LoadError(shownIssues(loading.issues, loading, paths), read);
  const warnings = shownIssues(reading.vetting.warnings, loading, paths);
  const secrets = loading.interpolator.secrets();
  return { config: { ...rest, ...parts }, catalog, warnings, ...read, secrets };
}
