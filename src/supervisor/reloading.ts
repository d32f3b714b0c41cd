import type { Logger } from "pino";
import { fingerprintsOf } from "../config/certificate-dates.ts";
import { LoadError } from "../config/load-error.ts";
import { type Loaded, loadConfig } from "../config/source.ts";
import { type ConfigWatch, watchConfig } from "../config/watch.ts";
import { ConfigError } from "../errors.ts";
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

function load({ options, state }: SupervisorParts): Promise<Loaded> {
  const { configPath: path, env, cwd, openCatalog } = options;
  return loadConfig({ path, env, cwd, openCatalog, certificatesInForce: fingerprintsOf(state.loaded.config) });
}

/** Takes over a configuration when it is changed. Settles when the watching has begun. */
export async function startReloading(parts: SupervisorParts): Promise<Reloading> {
  const { options, state, status, metrics, crew } = parts;
  const stopped = new AbortController();
  const inTurn = createTurns();
  const first = state.loaded;

  async function reloadNow(roll: Roll): Promise<void> {
    if (stopped.signal.aborted) return;
    let next: Loaded | null = null;
    try {
      next = await load(parts);
      await applyConfig(next, roll, { ...parts, log: options.log, prepareRest, onTaken });
      metrics.own.events.configReloaded("success");
      logWarnings(next, options.log);
      options.log.info({ workers: crew.slots.length }, "configuration is live");
    } catch (error) {
      if (!stopped.signal.aborted) refused(error, next, parts, watch);
    }
  }

  const prepareRest = ({ config }: Loaded) => status.prepare(config);

  function onTaken(loaded: Loaded): void {
    state.loaded = loaded;
    watch.follow(loaded.watched, loaded.readAt);
  }

  const reload = (roll: Roll) => inTurn(() => reloadNow(roll));
  const watch = await watchConfig({
    paths: first.watched,
    readAt: first.readAt,
    debounceMs: WATCH_DEBOUNCE_MS,
    onChange: () => reload(null),
    signal: stopped.signal,
  });
  return { reload, cancel: () => stopped.abort(), settled: () => inTurn(() => Promise.resolve()) };
}

/** Tells what of a configuration works but should be looked at. */
export function logWarnings({ warnings }: Loaded, log: Logger): void {
  for (const issue of warnings) log.warn({ ...issue }, "configuration warning");
}

function refused(
  error: unknown,
  next: Loaded | null,
  { metrics, options, state }: SupervisorParts,
  watch: ConfigWatch,
) {
  metrics.own.events.configReloaded("failure");
  // What mends it may be a change of what only the refused one names.
  const read = error instanceof LoadError ? error : next;
  if (read !== null) watch.follow([...state.loaded.watched, ...read.watched], read.readAt);
  if (!(error instanceof ConfigError)) options.log.error({ err: error }, "reload failed");
  else for (const issue of error.issues) options.log.error({ ...issue }, "configuration refused: the old one stays");
}
