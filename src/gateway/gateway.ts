import type { Logger } from "pino";
import type { ReadyReason, StatusServer } from "../admin/status.ts";
import type { OpenCatalog } from "../config/catalog.ts";
import { fingerprintsOf } from "../config/certificate-dates.ts";
import { compile } from "../config/compile.ts";
import { LoadError } from "../config/load-error.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { type Loaded, loadConfig } from "../config/source.ts";
import type { ListenerConfig, ShutdownConfig } from "../config/types.ts";
import { type ConfigWatch, watchConfig } from "../config/watch.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import type { MemoryRegistry } from "../registry/memory.ts";
import { createStaticRegistry } from "../registry/static.ts";
import type { Service } from "../service/service.ts";
import { createServices, type Services } from "../service/services.ts";
import type { AccessLog } from "../telemetry/access-log.ts";
import { createIds } from "../telemetry/id.ts";
import { createMetrics, type Metrics } from "../telemetry/metrics.ts";
import { AcceptGate } from "../wire/accept-gate.ts";
import { TimerWheel } from "../wire/timer-wheel.ts";
import { type CertificateWatch, createCertificateWatch } from "./certificate-watch.ts";
import { createListeners, type DrainManner, type HandedSocket, type Listeners } from "./listeners.ts";
import { createOverload, type Overload } from "./overload.ts";
import { type Prepared, prepareAll } from "./prepared.ts";
import { createRequestPath, type RequestPath } from "./request-path.ts";
import { createAccessLogPart, createStatusPart, NO_STATUS, type SidePart } from "./side-servers.ts";

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
  /** The first configuration, when it was read already. */
  readonly loaded?: Loaded;
  /** Fingerprints of certificates that others serve with already: they may have expired. */
  readonly certificatesInForce?: ReadonlySet<string>;
  /** For a process that is one of several: another one watches the files, answers probes and owns the sockets. */
  readonly supervised?: Supervised;
}

/** What a gateway gets from the process above it. */
export interface Supervised {
  /** A descriptor for this listener, which the gateway closes; null when none was handed over. */
  socketFor(listener: ListenerConfig): HandedSocket | null;
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
  /** The bounds of a drain, as configured now. */
  readonly shutdown: ShutdownConfig;
  /** The configuration in force. */
  snapshot(): Snapshot | null;
  /** Reads the configuration again; what is faulty changes nothing. One reload at a time. */
  reload(): Promise<ReloadResult>;
  /** Opens log files anew. */
  reopenLogs(): void;
  /** Readiness fails, then accepting stops, then what is in flight ends within `shutdown.timeout`; closes in the end. */
  drain(manner?: DrainManner): Promise<void>;
  /** Breaks everything off. */
  close(): Promise<void>;
}

const WATCH_DEBOUNCE_MS = 100;
/** Under pressure, connections go that have waited so long for a next request. */
const IDLE_UNDER_PRESSURE_MS = 1000;

interface Parts {
  readonly options: GatewayOptions;
  readonly metrics: Metrics;
  readonly services: Services;
  readonly path: RequestPath;
  readonly wheel: TimerWheel;
  readonly listeners: Listeners;
  readonly overload: Overload;
  readonly status: SidePart<StatusServer>;
  readonly accessLog: SidePart<AccessLog>;
  readonly certificates: CertificateWatch;
  readonly state: { isStarted: boolean; isDraining: boolean };
}

/** Starts a gateway. Rejects with a ConfigError when the configuration is faulty or an address cannot be had. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const parts = createParts(options);
  try {
    const loaded = options.loaded ?? (await load(options, options.certificatesInForce ?? new Set()));
    await goLive(loaded, parts);
    return await running(parts, loaded);
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

function createParts(options: GatewayOptions): Parts {
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
  const { path, listeners, overload } = createTraffic(options, { metrics, wheel });
  const state = { isStarted: false, isDraining: false };
  const readyState = () => ({ isStarted: state.isStarted, reasons: readyReasons(state) });
  const file = options.configPath ?? "torii.yaml";
  return {
    options,
    metrics,
    services,
    path,
    listeners,
    overload,
    state,
    wheel,
    certificates: createCertificateWatch({ metrics, log: options.log, config: () => path.current?.config ?? null }),
    status: options.supervised === undefined ? createStatusPart({ readyState, metrics }, file) : NO_STATUS,
    accessLog: createAccessLogPart({
      cwd: options.cwd ?? process.cwd(),
      file,
      fd: options.accessLogFd ?? 1,
      onDrop: (lines) => metrics.events.accessLogDropped(lines),
      onChange: (log) => {
        path.accessLog = log;
      },
    }),
  };
}

/** What requests meet: the sockets, the path from there to a route, and what keeps too many out. */
function createTraffic(options: GatewayOptions, { metrics, wheel }: Pick<Parts, "metrics" | "wheel">) {
  const gate = new AcceptGate();
  const { log, random = Math.random } = options;
  const closeIdle = () => listeners.closeIdle(IDLE_UNDER_PRESSURE_MS);
  const cutSlowest = (bytes: number) => listeners.cutSlowest(bytes);
  const overload = createOverload({ gate, closeIdle, cutSlowest, metrics, log, random });
  const path = createRequestPath({ metrics, log, shedder: overload.shedder });
  const listeners = createListeners({ ...options.supervised, gate, wheel, newId: createIds(), hooks: path.hooks });
  return { path, listeners, overload };
}

function openConnections(service: Service): number {
  return service.endpoints.reduce((sum, { passages, pool }) => sum + pool.openConnections + passages.open, 0);
}

/** Reads the configuration; a certificate of the one in force may have expired meanwhile. */
function load(options: GatewayOptions, inForce: ReadonlySet<string>): Promise<Loaded> {
  return loadConfig({
    certificatesInForce: inForce,
    path: options.configPath,
    env: options.env,
    openCatalog: options.openCatalog,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

function build(loaded: Loaded, { options, services, metrics, path, wheel }: Parts): Promise<Snapshot> {
  const { config, catalog } = loaded;
  if (catalog === null) throw new Error("a configuration was loaded without a catalog");
  const version = String(Number(path.current?.version ?? 0) + 1);
  return compile(config, version, { catalog, services, metrics, wheel, random: options.random ?? Math.random });
}

function readyReasons(state: Parts["state"]): readonly ReadyReason[] {
  if (!state.isStarted) return [{ code: "starting", detail: "No configuration is live yet." }];
  return state.isDraining ? [{ code: "draining", detail: "The gateway is shutting down." }] : [];
}

/** Puts a configuration in the old one's place, whole; when any part of it cannot be had, nothing has changed. */
async function goLive(loaded: Loaded, parts: Parts): Promise<Snapshot> {
  const { accessLog, listeners, metrics, options, overload, path, state, status } = parts;
  const snapshot = await build(loaded, parts);
  let prepared: Prepared;
  try {
    prepared = prepareAll([accessLog, status, listeners].map((part) => () => part.prepare(loaded.config)));
  } catch (error) {
    snapshot.use.retire();
    throw error;
  }
  const old = path.swap(snapshot);
  prepared.commit();
  overload.update(loaded.config);
  old?.use.retire();
  state.isStarted = true;
  metrics.events.configReloaded("success");
  // With several processes the one above them says it, once.
  const warnings = options.supervised === undefined ? loaded.warnings : [];
  for (const issue of warnings) options.log.warn({ ...issue }, "configuration warning");
  options.log.info({ version: snapshot.version, routes: snapshot.config.routes.length }, "configuration is live");
  return snapshot;
}

async function closeParts({ accessLog, certificates, listeners, overload, services, status }: Parts): Promise<void> {
  certificates.close();
  overload.close();
  listeners.terminate();
  await status.close();
  services.close();
  await accessLog.close();
}

const CLOSING: ConfigIssue = {
  file: "torii.yaml",
  line: null,
  column: null,
  field: "",
  message: "is not read any more: the gateway is shutting down",
};

/** The reading of configuration, from the first on. */
interface Reloading {
  /** What is in force. */
  readonly loaded: Loaded;
  reload(): Promise<ReloadResult>;
  /** Resolves when no reload is under way, and none begins any more. */
  stop(): Promise<void>;
}

/** Reads the configuration again when it changes, one reload at a time. Settles when the watching has begun. */
async function startReloading(parts: Parts, first: Loaded): Promise<Reloading> {
  const { options, metrics } = parts;
  const stopped = new AbortController();
  let loaded = first;
  let queue: Promise<unknown> = Promise.resolve();
  let watch: ConfigWatch | null = null;

  async function reloadNow(): Promise<ReloadResult> {
    let next: Loaded | null = null;
    try {
      if (stopped.signal.aborted) throw new ConfigError([CLOSING]);
      next = await load(options, fingerprintsOf(loaded.config));
      const snapshot = await goLive(next, parts);
      if (options.supervised === undefined && next.config.workers !== loaded.config.workers)
        options.log.warn({ workers: next.config.workers }, "the number of workers changes at the next start");
      loaded = next;
      watch?.follow(next.watched, next.readAt);
      return { isLive: true, version: snapshot.version, routes: snapshot.config.routes.length };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      // What mends it may be a change of what only the refused one names.
      const read = error instanceof LoadError ? error : next;
      if (read !== null) watch?.follow([...loaded.watched, ...read.watched], read.readAt);
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

  if (options.supervised === undefined) {
    watch = await watchConfig({
      paths: loaded.watched,
      readAt: loaded.readAt,
      debounceMs: WATCH_DEBOUNCE_MS,
      onChange: async () => void (await reload()),
      onError: (error) => options.log.error({ err: error }, "reload failed"),
      signal: stopped.signal,
    });
  }
  return {
    get loaded() {
      return loaded;
    },
    reload,
    async stop() {
      stopped.abort();
      await queue;
    },
  };
}

async function running(parts: Parts, first: Loaded): Promise<Gateway> {
  const { metrics, services, path, listeners, state } = parts;
  const reloading = await startReloading(parts, first);
  let drained: Promise<void> | null = null;

  async function close(): Promise<void> {
    await reloading.stop();
    await closeParts(parts);
  }

  async function drainNow(manner?: DrainManner): Promise<void> {
    state.isDraining = true;
    await reloading.stop();
    await listeners.drain(reloading.loaded.config.shutdown, manner);
    await close();
  }

  return {
    get addresses() {
      return listeners.addresses();
    },
    get statusPort() {
      return parts.status.current?.port ?? 0;
    },
    get shutdown() {
      return reloading.loaded.config.shutdown;
    },
    metrics,
    services,
    snapshot: () => path.current,
    reload: reloading.reload,
    reopenLogs: () => parts.accessLog.current?.reopen(),
    drain(manner) {
      drained ??= drainNow(manner);
      return drained;
    },
    close,
  };
}
