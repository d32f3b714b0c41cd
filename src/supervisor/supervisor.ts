import type { Logger } from "pino";
import type { ReadyReason } from "../admin/status.ts";
import type { OpenCatalog } from "../config/catalog.ts";
import { type Loaded, loadConfig } from "../config/source.ts";
import { watchConfig } from "../config/watch.ts";
import { ConfigError } from "../errors.ts";
import { createStatusPart } from "../gateway/side-servers.ts";
import { createLogWriter, type LogWriter } from "../telemetry/log-writer.ts";
import { applyConfig, type ChangeDeps, type Roll } from "./change.ts";
import { type Crew, createCrew } from "./crew.ts";
import { createSupervisorMetrics, type SupervisorMetrics } from "./metrics.ts";
import { createSockets, type Sockets } from "./sockets.ts";

export interface SupervisorOptions {
  readonly configPath: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  readonly log: Logger;
  readonly openCatalog: OpenCatalog;
  /** The first configuration. */
  readonly loaded: Loaded;
  /** The program and its arguments that become a worker. */
  readonly command: readonly string[];
  /** Where workers' standard output goes; 1 unless given. */
  readonly outputFd?: number;
}

/** The process above the workers: it owns the sockets, reads the configuration, and answers probes. */
export interface Supervisor {
  /** Where each listener accepts, by name. */
  readonly addresses: ReadonlyMap<string, { readonly address: string; readonly port: number }>;
  readonly statusPort: number;
  /** The bounds of a drain, as configured now. */
  readonly shutdown: Loaded["config"]["shutdown"];
  /** Reads the configuration again; what is faulty is logged and changes nothing. */
  reload(): Promise<void>;
  /** Replaces the workers one after the other, with what the configuration says now. */
  restart(): Promise<void>;
  /** Lets every worker open its log files anew. */
  reopenLogs(): void;
  /** Readiness fails, and all workers drain at once; closes in the end. */
  drain(): Promise<void>;
  /** Ends all workers at once. */
  kill(): void;
}

const WATCH_DEBOUNCE_MS = 100;

interface Parts {
  readonly options: SupervisorOptions;
  readonly metrics: SupervisorMetrics;
  readonly output: LogWriter;
  readonly sockets: Sockets;
  readonly crew: Crew;
  readonly status: ReturnType<typeof createStatusPart>;
  readonly state: State;
}

interface State {
  loaded: Loaded;
  isStarted: boolean;
  isDraining: boolean;
}

/** Starts the workers. Rejects when the configuration is faulty, an address cannot be had, or one does not start. */
export async function createSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const parts = createParts(options);
  try {
    await start(parts);
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
  return running(parts, await startReloading(parts));
}

function createParts(options: SupervisorOptions): Parts {
  const { env, cwd, configPath, command, log } = options;
  const state: State = { loaded: options.loaded, isStarted: false, isDraining: false };
  const metrics: SupervisorMetrics = createSupervisorMetrics({
    version: options.version,
    sources: () => crew.processes(),
  });
  const onDrop = (lines: number) => metrics.own.events.accessLogDropped(lines);
  const output = createLogWriter({ target: options.outputFd ?? 1, onDrop });
  const sockets = createSockets();
  const crew: Crew = createCrew({
    worker: { command, env, cwd, configPath, onOutput: output.writeBytes, onTornLine: () => onDrop(1) },
    sockets,
    log,
    shutdown: () => state.loaded.config.shutdown,
    onRestart: metrics.restarted,
    onGone: metrics.gone,
  });
  const readyState = () => ({ isStarted: state.isStarted, reasons: readyReasons(state, crew) });
  const status = createStatusPart({ readyState, metrics }, configPath ?? "torii.yaml");
  return { options, metrics, output, sockets, crew, status, state };
}

function readyReasons({ isStarted, isDraining }: State, crew: Crew): readonly ReadyReason[] {
  if (!isStarted) return [{ code: "starting", detail: "No configuration is live yet." }];
  if (isDraining) return [{ code: "draining", detail: "The gateway is shutting down." }];
  return crew.isServing ? [] : [{ code: "worker_missing", detail: "Connections wait for a worker that restarts." }];
}

async function start({ options, metrics, sockets, crew, status, state }: Parts): Promise<void> {
  const { listeners, workers } = options.loaded.config;
  const opened = sockets.prepare(listeners, workers);
  const rest = status.prepare(options.loaded.config);
  rest.commit();
  const failed = await crew.grow(workers);
  if (failed !== null && !failed.isDone) {
    if (failed.issues.length > 0) throw new ConfigError(failed.issues);
    throw new Error(`a worker cannot start: ${failed.message}`);
  }
  opened.commit();
  state.isStarted = true;
  metrics.own.events.configReloaded("success");
  options.log.info({ workers }, "workers serve");
}

async function closeParts({ crew, output, sockets, status }: Parts): Promise<void> {
  crew.kill();
  await crew.stop();
  sockets.closeAll();
  await status.close();
  await output.close();
}

/** Reading the configuration, one thing at a time. */
interface Reloading {
  reload(roll: Roll): Promise<void>;
  /** Resolves when nothing is under way; nothing begins any more. */
  stop(): Promise<void>;
  /** No change begins any more; one that is under way goes on. */
  cancel(): void;
}

async function startReloading(parts: Parts): Promise<Reloading> {
  const { options, state, metrics, crew, sockets, status } = parts;
  const { log, configPath: path, env, cwd, openCatalog } = options;
  const stopped = new AbortController();
  let queue: Promise<unknown> = Promise.resolve();

  const deps: ChangeDeps = {
    crew,
    sockets,
    log,
    prepareRest: ({ config }) => status.prepare(config),
    onTaken(loaded) {
      state.loaded = loaded;
      watch.follow(loaded.watched);
    },
  };

  async function reloadNow(roll: Roll): Promise<void> {
    if (stopped.signal.aborted) return;
    try {
      await applyConfig(await loadConfig({ path, env, cwd, openCatalog }), roll, deps);
      metrics.own.events.configReloaded("success");
      log.info({ workers: crew.slots.length }, "configuration is live");
    } catch (error) {
      if (stopped.signal.aborted) return;
      metrics.own.events.configReloaded("failure");
      if (!(error instanceof ConfigError)) log.error({ err: error }, "reload failed");
      else for (const issue of error.issues) log.error({ ...issue }, "configuration refused: the old one stays");
    }
  }

  function reload(roll: Roll): Promise<void> {
    const done = queue.then(() => reloadNow(roll));
    queue = done;
    return done;
  }

  const watch = await watchConfig({
    paths: state.loaded.watched,
    readAt: state.loaded.readAt,
    debounceMs: WATCH_DEBOUNCE_MS,
    onChange: () => reload(null),
    signal: stopped.signal,
  });
  return {
    reload,
    cancel: () => stopped.abort(),
    async stop() {
      stopped.abort();
      await queue;
    },
  };
}

function running(parts: Parts, reloading: Reloading): Supervisor {
  const { crew, sockets, state, status } = parts;
  let drained: Promise<void> | null = null;

  async function drainNow(): Promise<void> {
    state.isDraining = true;
    reloading.cancel();
    const stopped = crew.stop();
    // Workers have their own descriptors: what they stop accepting on must not go on listening here.
    sockets.closeAll();
    await stopped;
    await reloading.stop();
    await closeParts(parts);
  }

  return {
    get addresses() {
      return sockets.addresses();
    },
    get statusPort() {
      return status.current?.port ?? 0;
    },
    get shutdown() {
      return state.loaded.config.shutdown;
    },
    reload: () => reloading.reload(null),
    restart: () => reloading.reload("restart"),
    reopenLogs() {
      for (const worker of crew.processes()) worker.reopenLogs();
    },
    drain() {
      drained ??= drainNow();
      return drained;
    },
    kill: crew.kill,
  };
}
