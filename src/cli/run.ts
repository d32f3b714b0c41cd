import { parseArgs } from "node:util";
import type { Logger } from "pino";
import type { Loaded } from "../config/source.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import { listenerLines, origin } from "../gateway/listener-lines.ts";
import { loadToServe } from "../gateway/loading.ts";
import { createMemoryRegistry } from "../registry/memory.ts";
import { type Command, type CommandContext, EXIT, UsageError } from "./command.ts";
import { type Demo, demoGuide, startDemo } from "./demo.ts";
import { createLog } from "./log.ts";
import { adminLines } from "./origin.ts";
import { listenToSignals, type Signals } from "./signals.ts";

export const run: Command = {
  name: "run",
  usage: "torii run [--config torii.yaml] [--demo]",
  summary: "runs the gateway; --demo also starts sample services",
  async run(args, context) {
    const { values } = parseArgs({
      args: [...args],
      options: { config: { type: "string" }, demo: { type: "boolean", default: false } },
    });
    const log = createLog(process.stderr.isTTY);
    const signals = listenToSignals();
    try {
      const { env, cwd, openCatalog } = context;
      const configPath = values.config ?? null;
      const what = { path: configPath, env, cwd, openCatalog };
      const loaded = await loadToServe(what, { inForce: null, store: null });
      if (loaded.config.workers === 1)
        return await runAlone(loaded, { configPath, isDemo: values.demo, context, log, signals });
      if (values.demo) throw new UsageError("--demo keeps its services in one process: write workers: 1");
      const { supervise } = await import("./supervise.ts");
      return await supervise(loaded, configPath, { context, log, signals });
    } finally {
      signals.close();
    }
  },
};

interface RunDeps {
  readonly configPath: string | null;
  readonly isDemo: boolean;
  readonly context: CommandContext;
  readonly log: Logger;
  readonly signals: Signals;
}

async function runAlone(loaded: Loaded, { configPath, isDemo, context, log, signals }: RunDeps): Promise<number> {
  const registry = createMemoryRegistry();
  const demo = isDemo ? startDemo({ registry }) : null;
  try {
    const { env, cwd, version, openCatalog } = context;
    const gateway = await createGateway({ configPath, env, cwd, version, openCatalog, log, registry, loaded });
    announce(gateway, demo, context);
    signals.onHangUp(() => reload(gateway, context));
    await signals.stopped;
    const { delayMs, timeoutMs } = gateway.shutdown;
    log.info({ delayMs, timeoutMs }, "draining; another signal ends at once");
    await gateway.drain();
    log.info({}, "stopped");
    return EXIT.done;
  } finally {
    await demo?.close();
    registry.close();
  }
}

function announce(gateway: Gateway, demo: Demo | null, context: CommandContext): void {
  const [first] = gateway.addresses.values();
  const listeners = gateway.snapshot()?.config.listeners ?? [];
  for (const line of listenerLines(gateway.addresses, listeners)) context.err(line);
  context.err(`status is on http://127.0.0.1:${gateway.statusPort}/readyz and /metrics`);
  for (const line of adminLines(gateway.snapshot()?.config.admin ?? null, gateway.adminPort)) context.err(line);
  if (demo !== null && first !== undefined)
    context.err(`\n${demoGuide(origin(first.address, first.port), demo.endpoints)}`);
}

async function reload(gateway: Gateway, context: CommandContext): Promise<void> {
  try {
    gateway.reopenLogs();
  } catch (error) {
    context.err(`the access log cannot be opened anew: ${error instanceof Error ? error.message : String(error)}`);
  }
  await gateway.reload();
}
