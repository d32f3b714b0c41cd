import type { Loaded } from "../config/source.ts";
import { ConfigError } from "../errors.ts";
import { prepareAll } from "../gateway/prepared.ts";
import { createParts, type SupervisorOptions, type SupervisorParts } from "./parts.ts";
import { logWarnings, type Reloading, startReloading } from "./reloading.ts";

/** The process above the workers: it owns the sockets, reads the configuration, and answers probes. */
export interface Supervisor {
  /** Where each listener accepts, by name. */
  readonly addresses: ReadonlyMap<string, { readonly address: string; readonly port: number }>;
  readonly statusPort: number;
  /** Null without `admin` in the configuration. */
  readonly adminPort: number | null;
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

/** Starts the workers. Rejects when the configuration is faulty, an address cannot be had, or one does not start. */
export async function createSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const parts = createParts(options);
  try {
    await start(parts);
    return running(parts, await startReloading(parts));
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

async function start(parts: SupervisorParts): Promise<void> {
  const { options, metrics, sockets, crew, status, admin, store, state } = parts;
  const { listeners, workers } = options.loaded.config;
  const opened = sockets.prepare(listeners, workers);
  prepareAll([status, admin, store].map((part) => () => part.prepare(options.loaded.config))).commit();
  const failed = await crew.grow(workers);
  if (failed !== null && !failed.isDone) {
    if (failed.issues.length > 0) throw new ConfigError(failed.issues);
    throw new Error(`a worker cannot start: ${failed.message}`);
  }
  opened.commit();
  logWarnings(options.loaded, options.log);
  state.isStarted = true;
  metrics.own.events.configReloaded("success");
  options.log.info({ workers }, "workers serve");
}

async function closeParts(parts: SupervisorParts): Promise<void> {
  const { crew, output, sockets, status, admin, store, certificates } = parts;
  certificates.close();
  crew.kill();
  await crew.stop();
  sockets.closeAll();
  await status.close();
  await admin.close();
  await output.close();
  await store.close();
}

function running(parts: SupervisorParts, reloading: Reloading): Supervisor {
  const { admin, crew, sockets, state, status } = parts;
  let drained: Promise<void> | null = null;

  async function drainNow(): Promise<void> {
    state.isDraining = true;
    reloading.cancel();
    const stopped = crew.stop();
    // Workers have their own descriptors: what they stop accepting on must not go on listening here.
    sockets.closeAll();
    await stopped;
    await reloading.settled();
    await closeParts(parts);
  }

  return {
    get addresses() {
      return sockets.addresses();
    },
    get statusPort() {
      return status.current?.port ?? 0;
    },
    get adminPort() {
      return admin.current?.port ?? null;
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
