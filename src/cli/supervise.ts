import type { Logger } from "pino";
import type { Loaded } from "../config/source.ts";
import { listenerLines } from "../gateway/listener-lines.ts";
import { createSupervisor } from "../supervisor/supervisor.ts";
import { type CommandContext, EXIT } from "./command.ts";
import { adminLines } from "./origin.ts";
import type { Signals } from "./signals.ts";

/** Runs the workers that the configuration asks for, until a signal ends them; resolves with the exit code. */
export async function supervise(
  loaded: Loaded,
  configPath: string | null,
  { context, log, signals }: { readonly context: CommandContext; readonly log: Logger; readonly signals: Signals },
): Promise<number> {
  const supervisor = await createSupervisor({ ...context, configPath, loaded, log, command: workerCommand() });
  signals.onForce(supervisor.kill);
  for (const line of listenerLines(supervisor.addresses, loaded.config.listeners)) context.err(line);
  context.err(`status is on http://127.0.0.1:${supervisor.statusPort}/readyz and /metrics`);
  for (const line of adminLines(loaded.config.admin, supervisor.adminPort)) context.err(line);
  signals.onRestart(supervisor.restart);
  signals.onHangUp(() => {
    supervisor.reopenLogs();
    return supervisor.reload();
  });
  await signals.stopped;
  const { delayMs, timeoutMs } = supervisor.shutdown;
  log.info({ delayMs, timeoutMs }, "draining; another signal ends at once");
  await supervisor.drain();
  log.info({}, "stopped");
  return EXIT.done;
}

/** This very program, as a worker: the single executable, or the runtime with the file that it runs. */
function workerCommand(): readonly string[] {
  const program = Bun.isStandaloneExecutable ? [] : [...process.execArgv, Bun.main];
  return [process.execPath, ...program, "worker"];
}
