import type { Logger } from "pino";
import type { Loaded } from "../config/source.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import type { Prepared } from "../gateway/prepared.ts";
import type { Crew } from "./crew.ts";
import type { Result } from "./inbox.ts";
import type { RestartReason } from "./metrics.ts";
import type { Slot } from "./slot.ts";
import type { Sockets } from "./sockets.ts";

export interface ChangeDeps {
  readonly crew: Crew;
  readonly sockets: Sockets;
  /** What else goes by the configuration, in this process. Throws a ConfigError. */
  readonly prepareRest: (loaded: Loaded) => Prepared;
  readonly log: Logger;
  /** The new configuration is in force here, and in at least one worker. */
  readonly onTaken: (loaded: Loaded) => void;
}

/** Every worker is replaced even if it could take the configuration as it is; why, for the metrics. */
export type Roll = Extract<RestartReason, "restart"> | null;

function thrown(result: Result): void {
  if (result.isDone) return;
  if (result.issues.length > 0) throw new ConfigError(result.issues);
  const place: Omit<ConfigIssue, "message"> = { file: "torii.yaml", line: null, column: null, field: "" };
  throw new ConfigError([{ ...place, message: `a worker does not take it: ${result.message}` }]);
}

/** One slot after the other; the first that fails ends it. */
async function roll(slots: readonly Slot[], reason: RestartReason, { log, onFirst }: RollDeps): Promise<void> {
  for (const [at, slot] of slots.entries()) {
    const result = await slot.replace(reason);
    if (result.isDone) {
      if (at === 0) onFirst();
      continue;
    }
    log.error({ worker: slot.number }, "restart stopped: the workers from this one on stay as they are");
    return at === 0 ? thrown(result) : undefined;
  }
}

interface RollDeps {
  readonly log: Logger;
  readonly onFirst: () => void;
}

/** One worker tries it first; when it refuses, nothing has changed anywhere. Who refuses what it took is replaced. */
async function reloadAll(slots: readonly Slot[], onFirst: () => void): Promise<void> {
  for (const slot of slots) if (slot.current === null) slot.revive();
  const serving = slots.filter((slot) => slot.current !== null);
  const first = serving[0]?.current ?? null;
  if (first !== null) thrown(await first.reload());
  onFirst();
  const others = slots.filter((slot) => slot.current === null || slot.current !== first);
  const results = await Promise.all(others.map(async (slot) => ({ slot, result: await reloadOne(slot) })));
  // A worker that ended meanwhile is replaced by itself, and reads what is in force.
  const refused = results.filter(({ result }) => result?.isDone === false);
  for (const { slot } of refused) await slot.replace("refused");
}

/** A worker that is being started may have read what was in force before: it is asked once it serves. */
async function reloadOne(slot: Slot): Promise<Result | null> {
  if (slot.current === null) await slot.settled();
  return (await slot.current?.reload()) ?? null;
}

/**
 * Puts a configuration in force in all workers. Rejects with a ConfigError, and nothing has changed, when the first
 * worker does not take it; what fails from then on is logged, as the configuration is live. New sockets reach workers
 * only at their start, so these are then replaced one by one.
 */
export async function applyConfig(loaded: Loaded, mustRoll: Roll, deps: ChangeDeps): Promise<void> {
  const { crew, sockets, log } = deps;
  const { listeners, workers } = loaded.config;
  const rest = deps.prepareRest(loaded);
  let isTaken = false;
  const opened = prepareSockets();
  const before = crew.slots;

  function prepareSockets() {
    try {
      return sockets.prepare(listeners, Math.max(workers, crew.slots.length));
    } catch (error) {
      rest.abort();
      throw error;
    }
  }

  function onFirst(): void {
    isTaken = true;
    rest.commit();
    deps.onTaken(loaded);
  }

  async function spread(): Promise<void> {
    const failed = await crew.grow(workers);
    if (failed !== null) thrown(failed);
    const staying = before.slice(0, workers);
    if (mustRoll !== null || opened.isChanged) await roll(staying, mustRoll ?? "reload", { log, onFirst });
    else await reloadAll(staying, onFirst);
  }

  async function finish(): Promise<void> {
    await crew.shrink(workers);
    // What a worker that was not replaced still accepts on stays open in that worker.
    sockets.prepare(listeners, workers).commit();
  }

  async function unlessTaken(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!isTaken) throw error;
      log.error({ err: error }, "configuration is live, but a part of the change failed: restart to be sure of it");
    }
  }

  try {
    await unlessTaken(spread);
  } catch (error) {
    await crew.shrink(before.length);
    opened.abort();
    rest.abort();
    throw error;
  }
  await unlessTaken(finish);
}
