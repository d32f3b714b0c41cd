import { resolve } from "node:path";
import type { Logger } from "pino";
import { createStatusServer, type ReadyReason, type StatusServer } from "../admin/status.ts";
import type { OpenCatalog } from "../config/catalog.ts";
import { compile } from "../config/compile.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { type Loaded, loadConfig } from "../config/source.ts";
import { type ConfigWatch, watchConfig } from "../config/watch.ts";
import { ConfigError } from "../errors.ts";
import type { MemoryRegistry } from "../registry/memory.ts";
import { createStaticRegistry } from "../registry/static.ts";
import type { Service } from "../service/service.ts";
import { createServices, type Services } from "../service/services.ts";
import { type AccessLog, createAccessLog } from "../telemetry/access-log.ts";
import { createIds } from "../telemetry/id.ts";
import { createMetrics, type Metrics } from "../telemetry/metrics.ts";
import { TimerWheel } from "../wire/timer-wheel.ts";
import { createListeners, type Listeners } from "./listeners.ts";
import { createRequestPath, type RequestPath } from "./request-path.ts";

export interface GatewayOptions {
  /** `torii.yaml` or what stands for it; null: the one in `cwd`, and defaults without one. */
  readonly configPath: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly version: string;
  readonly log: Logger;
  readonly openCatalog: OpenCatalog;
  /** Endpoints that register themselves in this process. The caller closes it. */
  readonly registry: MemoryRegistry;
  /** Where the access log goes without a path in the configuration; 1 unless given. */
  readonly accessLogFd?: number;
  readonly random?: () => number;
}

export type ReloadResult =
  | { readonly isLive: true; readonly version: string; readonly routes: number }
  | { readonly isLive: false; readonly error: ConfigError };

export interface ListenerAddress {
  readonly address: string;
  readonly port: number;
}

/** A running gateway. */
export interface Gateway {
  /** Where each listener accepts, by name. */
  readonly addresses: ReadonlyMap<string, ListenerAddress>;
  readonly statusPort: number;
  readonly metrics: Metrics;
  readonly services: Services;
  /** The configuration in force. */
  snapshot(): Snapshot | null;
  /** Reads the configuration again; what is faulty changes nothing. One reload at a time. */
  reload(): Promise<ReloadResult>;
  /** Opens log files anew. */
  reopenLogs(): void;
  /** Readiness fails, then accepting stops, then what is in flight ends within `shutdown.timeout`; closes in the end. */
  drain(): Promise<void>;
  /** Breaks everything off. */
  close(): Promise<void>;
}

const WATCH_DEBOUNCE_MS = 100;

interface Parts {
  readonly options: GatewayOptions;
  readonly metrics: Metrics;
  readonly services: Services;
  readonly path: RequestPath;
  readonly listeners: Listeners;
}

/** Starts a gateway. Rejects with a ConfigError when the configuration is faulty or an address cannot be had. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const metrics = createMetrics({ version: options.version });
  const wheel = new TimerWheel();
  const services = createServices({
    wheel,
    random: options.random ?? Math.random,
    registryFor: (service, name) =>
      service.discover === "static" ? createStaticRegistry({ [name]: service.endpoints }) : options.registry,
    onWarning: (message, facts) => options.log.warn(facts, message),
  });
  metrics.collect({
    name: "torii_upstream_connections",
    help: "Connections to the endpoints of a service that are open.",
    labels: ["service"],
    type: "gauge",
    read: () => services.list().map((service) => ({ labels: [service.name], value: openConnections(service) })),
  });
  const path = createRequestPath({ metrics, log: options.log });
  const listeners = createListeners({ wheel, newId: createIds(), hooks: path.hooks });
  const parts: Parts = { options, metrics, services, path, listeners };
  const loaded = await load(options);
  const accessLog = openAccessLog(loaded, parts);
  path.accessLog = accessLog;
  const snapshot = await build(loaded, parts);
  const held = await openServers(loaded, snapshot, parts);
  return running(parts, { loaded, accessLog, ...held });
}

function openConnections(service: Service): number {
  return service.endpoints.reduce((sum, endpoint) => sum + endpoint.pool.openConnections, 0);
}

function load(options: GatewayOptions): Promise<Loaded> {
  return loadConfig({
    path: options.configPath,
    env: options.env,
    openCatalog: options.openCatalog,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

function openAccessLog({ config }: Loaded, { options, metrics }: Parts): AccessLog | null {
  if (!config.accessLog.isEnabled) return null;
  const target = config.accessLog.path === null ? (options.accessLogFd ?? 1) : config.accessLog.path;
  return createAccessLog({
    target: typeof target === "string" ? resolve(options.cwd ?? process.cwd(), target) : target,
    onDrop: (lines) => metrics.events.accessLogDropped(lines),
  });
}

function build(loaded: Loaded, { options, services, metrics, path }: Parts): Promise<Snapshot> {
  const { config, catalog } = loaded;
  if (catalog === null) throw new Error("a configuration was loaded without a catalog");
  const version = String(Number(path.current?.version ?? 0) + 1);
  return compile(config, version, { catalog, services, metrics, random: options.random ?? Math.random });
}

interface Held {
  readonly status: StatusServer;
  readonly state: { isStarted: boolean; isDraining: boolean };
}

async function openServers(loaded: Loaded, snapshot: Snapshot, parts: Parts): Promise<Held> {
  const { path, listeners, metrics, options } = parts;
  const state = { isStarted: false, isDraining: false };
  const readyState = () => ({ isStarted: state.isStarted, reasons: readyReasons(state) });
  const status = createStatusServer({ ...loaded.config.status, readyState, metrics });
  try {
    path.swap(snapshot);
    listeners.apply(loaded.config);
  } catch (error) {
    await status.close();
    throw error;
  }
  state.isStarted = true;
  metrics.events.configReloaded("success");
  options.log.info({ version: snapshot.version, routes: snapshot.rules.length }, "configuration is live");
  return { status, state };
}

function readyReasons(state: Held["state"]): readonly ReadyReason[] {
  if (!state.isStarted) return [{ code: "starting", detail: "No configuration is live yet." }];
  return state.isDraining ? [{ code: "draining", detail: "The gateway is shutting down." }] : [];
}

/** Puts a new configuration in the old one's place; when its listeners cannot be had, the old one stays. */
function takeOver(snapshot: Snapshot, { config }: Loaded, { listeners, path }: Parts): void {
  try {
    listeners.apply(config);
  } catch (error) {
    snapshot.use.retire();
    throw error;
  }
  path.swap(snapshot)?.use.retire();
}

interface Opened extends Held {
  readonly loaded: Loaded;
  readonly accessLog: AccessLog | null;
}

async function running(parts: Parts, opened: Opened): Promise<Gateway> {
  const { options, metrics, services, path, listeners } = parts;
  const { status, state, accessLog } = opened;
  const stopped = new AbortController();
  let { loaded } = opened;
  let queue: Promise<unknown> = Promise.resolve();
  let watch: ConfigWatch | null = null;

  async function reloadNow(): Promise<ReloadResult> {
    try {
      const next = await load(options);
      const snapshot = await build(next, parts);
      takeOver(snapshot, next, parts);
      loaded = next;
      watch?.follow(next.watched);
      metrics.events.configReloaded("success");
      options.log.info({ version: snapshot.version, routes: snapshot.rules.length }, "configuration is live");
      return { isLive: true, version: snapshot.version, routes: snapshot.rules.length };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      metrics.events.configReloaded("failure");
      for (const issue of error.issues) options.log.error({ ...issue }, "configuration refused: the old one stays");
      return { isLive: false, error };
    }
  }

  function reload(): Promise<ReloadResult> {
    const result = queue.then(reloadNow);
    queue = result.catch(() => undefined);
    return result;
  }

  async function close(): Promise<void> {
    stopped.abort();
    listeners.terminate();
    await status.close();
    services.close();
    await accessLog?.close();
  }

  watch = await watchConfig({
    paths: loaded.watched,
    readAt: loaded.readAt,
    debounceMs: WATCH_DEBOUNCE_MS,
    onChange: async () => void (await reload()),
    onError: (error) => options.log.error({ err: error }, "reload failed"),
    signal: stopped.signal,
  });

  return {
    get addresses() {
      return listeners.addresses();
    },
    statusPort: status.port,
    metrics,
    services,
    snapshot: () => path.current,
    reload,
    reopenLogs: () => accessLog?.reopen(),
    async drain() {
      if (state.isDraining) return;
      state.isDraining = true;
      stopped.abort();
      await listeners.drain(loaded.config.shutdown);
      await close();
    },
    close,
  };
}
