import type { Logger } from "pino";
import { LoadError, type WhatWasRead } from "../config/load-error.ts";
import type { Loaded } from "../config/source.ts";
import { watchConfig } from "../config/watch.ts";
import { ConfigError } from "../errors.ts";
import { createCertificateRotation } from "../gateway/certificate-rotation.ts";
import { listenerNews } from "../gateway/listener-lines.ts";
import { loadToServe } from "../gateway/loading.ts";
import { prepareAll } from "../gateway/prepared.ts";
import { applyConfig, type Roll } from "./change.ts";
import type { SupervisorParts } from "./parts.ts";
import { createTurns } from "./turns.ts";

const WATCH_DEBOUNCE_MS = 100;

/** The reading of configuration, one reading at a time. */
export interface Reloading {
  /** Reads it again and puts it in force; what is faulty is logged and changes nothing. */
  reload(roll: Roll): Promise<void>;
  /** No reload begins any more; one that is under way goes on. */
  cancel(): void;
  /** Resolves when none is under way. */
  settled(): Promise<void>;
}

function load({ options, state, store }: SupervisorParts): Promise<Loaded> {
  const { configPath: path, env, cwd, openCatalog } = options;
  return loadToServe({ path, env, cwd, openCatalog }, { inForce: state.loaded.config, store: store.current });
}

/** Takes over a configuration when it is changed. Settles when the watching has begun. */
export async function startReloading(parts: SupervisorParts): Promise<Reloading> {
  const { options, state, metrics, crew, sockets } = parts;
  const stopped = new AbortController();
  const inTurn = createTurns();
  const first = state.loaded;

  async function reloadNow(roll: Roll): Promise<void> {
    if (stopped.signal.aborted) return;
    const before = sockets.addresses();
    try {
      state.coming = await load(parts);
      await applyConfig(state.coming, roll, { ...parts, log: options.log, prepareRest, onTaken });
      metrics.own.events.configReloaded("success");
      logWarnings(state.coming, options.log);
      const change = { before, after: sockets.addresses(), listeners: state.coming.config.listeners };
      for (const line of listenerNews(change)) options.log.info({}, line);
      options.log.info({ workers: crew.slots.length }, "configuration is live");
    } catch (error) {
      if (!stopped.signal.aborted) refused(error, parts, follow);
    } finally {
      state.coming = null;
    }
  }

  const prepareRest = ({ config }: Loaded) =>
    prepareAll([parts.status, parts.admin, parts.store].map((part) => () => part.prepare(config)));

  function onTaken(loaded: Loaded): void {
    state.loaded = loaded;
    state.version++;
    follow(null);
  }

  const reload = (roll: Roll) => inTurn(() => reloadNow(roll));
  const onChange = () => reload(null);
  const { signal } = stopped;
  const rotation = createCertificateRotation({ onChange, log: options.log, signal });
  const { watched: paths, readAt } = first;
  const watch = await watchConfig({ paths, readAt, debounceMs: WATCH_DEBOUNCE_MS, onChange, signal });

  /** Follows what the configuration in force is made of, and what a refused one is: mending it may be a change of that. */
  function follow(refused: WhatWasRead | null): void {
    const { loaded } = state;
    const read = refused === null ? [loaded] : [loaded, refused];
    const store = parts.store.current;
    rotation.follow(store === null ? null : { store, redis: loaded.config.redis }, read);
    const watched = read.flatMap((one) => one.watched);
    watch.follow(watched, (refused ?? loaded).readAt);
  }

  follow(null);
  return { reload, cancel: () => stopped.abort(), settled: () => inTurn(() => Promise.resolve()) };
}

/** Tells what of a configuration works but should be looked at. */
export function logWarnings({ warnings }: Loaded, log: Logger): void {
  for (const issue of warnings) log.warn({ ...issue }, "configuration warning");
}

function refused(
  error: unknown,
  { metrics, options, state }: SupervisorParts,
  follow: (read: WhatWasRead) => void,
): void {
  metrics.own.events.configReloaded("failure");
  const read = error instanceof LoadError ? error : state.coming;
  if (read !== null) follow(read);
  if (!(error instanceof ConfigError)) options.log.error({ err: error }, "reload failed");
  else for (const issue of error.issues) options.log.error({ ...issue }, "configuration refused: the old one stays");
}
