import type { AdminServer } from "../admin/admin.ts";
import type { AdminSource } from "../admin/source.ts";
import type { ReadyReason, StatusServer } from "../admin/status.ts";
import { fingerprintsOf } from "../config/certificate-dates.ts";
import { compile } from "../config/compile.ts";
import { LoadError, type WhatWasRead } from "../config/load-error.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { type Loaded, loadConfig } from "../config/source.ts";
import type { Config, ShutdownConfig } from "../config/types.ts";
import { type ConfigWatch, watchConfig } from "../config/watch.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { createStaticRegistry } from "../registry/static.ts";
import type { Services } from "../service/services.ts";
import type { Store } from "../store/store.ts";
import type { AccessLog } from "../telemetry/access-log.ts";
import { createIds } from "../telemetry/id.ts";
import { createMetrics, type Metrics } from "../telemetry/metrics.ts";
import { AcceptGate } from "../wire/accept-gate.ts";
import { TimerWheel } from "../wire/timer-wheel.ts";
import { createAdminSource } from "./admin-source.ts";
import { createCertificateRotation } from "./certificate-rotation.ts";
import { type CertificateWatch, collectExpiry, createCertificateWatch } from "./certificate-watch.ts";
import { createDnsRegistries } from "./dns-registries.ts";
import { createHttp3, type Http3 } from "./http3.ts";
import { createLimitsPart, type LimitsPart } from "./limits-part.ts";
import { listenerNews } from "./listener-lines.ts";
import { createListeners, type DrainManner, type ListenerAddress, type Listeners } from "./listeners.ts";
import { loadToServe } from "./loading.ts";
import { createMesh, type Mesh } from "./mesh.ts";
import type { GatewayOptions } from "./options.ts";
import { createOverload, OVERLOADED, type Overload } from "./overload.ts";
import { type Prepared, prepareAll } from "./prepared.ts";
import { createRequestPath, type RequestPath } from "./request-path.ts";
import { createServiceParts } from "./service-parts.ts";
import { createAccessLogPart, createAdminPart, createStatusPart, NO_SERVER, type SidePart } from "./side-servers.ts";
import { createStorePart, NO_STORE } from "./store-part.ts";

export type ReloadResult =
  | { readonly isLive: true; readonly version: string; readonly routes: number }
  | { readonly isLive: false; readonly error: ConfigError };

/** A running gateway. */
export interface Gateway {
  /** Where each listener accepts, by name. */
  readonly addresses: ReadonlyMap<string, ListenerAddress>;
  readonly statusPort: number;
  /** Null without `admin` in the configuration, and where the process above has the server. */
  readonly adminPort: number | null;
  /** What this process tells of itself. */
  readonly admin: AdminSource;
  /** True when new connections have waited for memory for long. */
  readonly isOverloaded: boolean;
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
  readonly mesh: Mesh;
  readonly path: RequestPath;
  readonly wheel: TimerWheel;
  readonly listeners: Listeners;
  readonly http3: Http3;
  readonly overload: Overload;
  readonly status: SidePart<StatusServer>;
  readonly admin: SidePart<AdminServer>;
  readonly source: AdminSource;
  readonly accessLog: SidePart<AccessLog>;
  readonly limits: LimitsPart;
  /** Closed last: what is under way may ask it. */
  readonly store: SidePart<Store>;
  /** Null where the process above says it, once for all. */
  readonly certificates: CertificateWatch | null;
  readonly state: { isStarted: boolean; isDraining: boolean; loaded: Loaded | null };
}

/** Starts a gateway. Rejects with a ConfigError when the configuration is faulty or an address cannot be had. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const parts = createParts(options);
  try {
    const loaded = options.loaded ?? (await load(parts, null));
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
  const mesh = createMesh({ metrics, log: options.log, random: options.random ?? Math.random });
  const dnsRegistryFor = createDnsRegistries({ metrics, log: options.log, random: options.random ?? Math.random });
  const services = createServiceParts({
    metrics,
    wheel,
    log: options.log,
    random: options.random ?? Math.random,
    registryFor: (service, name) => {
      if (service.dns !== undefined) return dnsRegistryFor(name, service.dns);
      if (service.redis !== undefined) return mesh.registryFor(service.redis);
      return service.discover === "static" ? createStaticRegistry({ [name]: service.endpoints }) : options.registry;
    },
  });
  const { path, listeners, http3, overload } = createTraffic(options, { metrics, wheel });
  const state: Parts["state"] = { isStarted: false, isDraining: false, loaded: null };
  const readyState = () => ({ isStarted: state.isStarted, reasons: readyReasons(state, overload) });
  const file = options.configPath ?? "torii.yaml";
  const config = () => path.current?.config ?? null;
  collectExpiry(metrics, config);
  const isAlone = options.supervised === undefined;
  const store = isAlone ? createStorePart({ metrics, log: options.log, file }) : NO_STORE;
  const limits = createLimitsPart({ metrics, log: options.log, seat: options.supervised?.seat ?? 0 });
  const source = createAdminSource({
    limits,
    version: options.version,
    readyState,
    snapshot: () => path.current,
    loaded: () => state.loaded,
    addresses: listeners.addresses,
    services,
    store: () => store.current,
    mesh,
  });
  return {
    options,
    metrics,
    services,
    limits,
    source,
    mesh,
    path,
    listeners,
    http3,
    overload,
    state,
    wheel,
    certificates: isAlone ? createCertificateWatch({ log: options.log, config }) : null,
    status: isAlone ? createStatusPart({ readyState, metrics }, file) : NO_SERVER,
    admin: isAlone ? createAdminPart({ source, version: options.version, log: options.log }, file) : NO_SERVER,
    store,
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
  const { hooks } = path;
  const newId = createIds();
  const listeners = createListeners({ ...options.supervised, gate, wheel, newId, hooks });
  return { path, listeners, http3: createHttp3({ newId, hooks, log, wheel }), overload };
}

/** Reads the configuration, beside the one in force. */
function load({ options, store }: Pick<Parts, "options" | "store">, inForce: Config | null): Promise<Loaded> {
  const { configPath: path, env, openCatalog, supervised, cwd = process.cwd() } = options;
  const what = { path, env, openCatalog, cwd };
  if (supervised === undefined) return loadToServe(what, { inForce, store: store.current });
  const known = inForce === null ? (options.certificatesInForce ?? new Set<string>()) : fingerprintsOf(inForce);
  return loadConfig({ ...what, certificatesInForce: known, readCertificate: supervised.readCertificate });
}

function build(loaded: Loaded, { options, services, metrics, path, wheel, limits }: Parts): Promise<Snapshot> {
  const { config, catalog } = loaded;
  if (catalog === null) throw new Error("a configuration was loaded without a catalog");
  const version = String(Number(path.current?.version ?? 0) + 1);
  const { random = Math.random } = options;
  return compile(config, version, { catalog, services, metrics, wheel, random, limits: limits.lend(config) });
}

function readyReasons({ isStarted, isDraining }: Parts["state"], overload: Overload): readonly ReadyReason[] {
  if (!isStarted) return [{ code: "starting", detail: "No configuration is live yet." }];
  if (isDraining) return [{ code: "draining", detail: "The gateway is shutting down." }];
  return overload.isOverloaded ? [OVERLOADED] : [];
}

/** Puts a configuration in the old one's place, whole; when any part of it cannot be had, nothing has changed. */
async function goLive(loaded: Loaded, parts: Parts): Promise<Snapshot> {
  const { accessLog, admin, listeners, metrics, options, overload, path, state, status, store } = parts;
  // Endpoints are looked for while it is built; one that is refused takes this back.
  parts.mesh.keepIn(loaded.config.stateFolder);
  const snapshot = await build(loaded, parts);
  let prepared: Prepared;
  try {
    prepared = prepareAll(
      [accessLog, status, admin, store, listeners].map((part) => () => part.prepare(loaded.config)),
    );
  } catch (error) {
    snapshot.use.retire();
    throw error;
  }
  const old = path.swap(snapshot);
  const before = listeners.addresses();
  prepared.commit();
  state.loaded = loaded;
  overload.update(loaded.config);
  parts.http3.update(loaded.config, (name) => listeners.addresses().get(name)?.port);
  old?.use.retire();
  state.isStarted = true;
  metrics.events.configReloaded("success");
  // With several processes the one above them says it, once.
  const warnings = options.supervised === undefined ? loaded.warnings : [];
  for (const issue of warnings) options.log.warn({ ...issue }, "configuration warning");
  const isTold = options.supervised === undefined && before.size > 0;
  const change = { before, after: listeners.addresses(), listeners: loaded.config.listeners };
  for (const line of isTold ? listenerNews(change) : []) options.log.info({}, line);
  options.log.info({ version: snapshot.version, routes: snapshot.config.routes.length }, "configuration is live");
  return snapshot;
}

async function closeParts(parts: Parts): Promise<void> {
  parts.certificates?.close();
  parts.overload.close();
  parts.http3.close();
  parts.listeners.terminate();
  await parts.status.close();
  await parts.admin.close();
  parts.services.close();
  parts.mesh.close();
  await parts.limits.close();
  await parts.accessLog.close();
  await parts.store.close();
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
  const rotation = createCertificateRotation({ onChange: reload, log: options.log, signal: stopped.signal });

  /** Follows what the configuration in force is made of, and what a refused one is: mending it may be a change of that. */
  function follow(refused: WhatWasRead | null): void {
    const read = refused === null ? [loaded] : [loaded, refused];
    const open = parts.store.current === null ? null : { store: parts.store.current, redis: loaded.config.redis };
    rotation.follow(open, read);
    const watched = read.flatMap((one) => one.watched);
    watch?.follow(watched, (refused ?? loaded).readAt);
  }

  async function reloadNow(): Promise<ReloadResult> {
    let next: Loaded | null = null;
    try {
      if (stopped.signal.aborted) throw new ConfigError([CLOSING]);
      next = await load(parts, loaded.config);
      const snapshot = await goLive(next, parts);
      if (options.supervised === undefined && next.config.workers !== loaded.config.workers)
        options.log.warn({ workers: next.config.workers }, "the number of workers changes at the next start");
      loaded = next;
      follow(null);
      return { isLive: true, version: snapshot.version, routes: snapshot.config.routes.length };
    } catch (error) {
      parts.mesh.keepIn(loaded.config.stateFolder);
      if (!(error instanceof ConfigError)) throw error;
      const read = error instanceof LoadError ? error : next;
      if (read !== null) follow(read);
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

  follow(null);
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
    const { shutdown } = reloading.loaded.config;
    await Promise.all([listeners.drain(shutdown, manner), parts.http3.drain(shutdown)]);
    await close();
  }

  return {
    get addresses() {
      return listeners.addresses();
    },
    get statusPort() {
      return parts.status.current?.port ?? 0;
    },
    get adminPort() {
      return parts.admin.current?.port ?? null;
    },
    admin: parts.source,
    get shutdown() {
      return reloading.loaded.config.shutdown;
    },
    get isOverloaded() {
      return parts.overload.isOverloaded;
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
