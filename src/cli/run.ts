import { parseArgs } from "node:util";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import { createMemoryRegistry } from "../registry/memory.ts";
import { type Command, type CommandContext, EXIT } from "./command.ts";
import { type Demo, demoGuide, startDemo } from "./demo.ts";
import { createLog } from "./log.ts";

/** A terminal and the package runner above us both pass one Ctrl-C on: interrupts so close together are one. */
const ONE_SIGNAL_MS = 500;

export const run: Command = {
  name: "run",
  usage: "torii run [--config torii.yaml] [--demo]",
  summary: "runs the gateway; --demo also starts sample services",
  async run(args, context) {
    const { values } = parseArgs({
      args: [...args],
      options: { config: { type: "string" }, demo: { type: "boolean", default: false } },
    });
    const registry = createMemoryRegistry();
    const demo = values.demo ? startDemo({ registry }) : null;
    const log = createLog(process.stderr.isTTY);
    const signals = listenToSignals();
    try {
      const { env, cwd, version, openCatalog } = context;
      const configPath = values.config ?? null;
      const gateway = await createGateway({ configPath, env, cwd, version, openCatalog, log, registry });
      announce(gateway, demo, context);
      signals.onHangUp(() => reload(gateway, context));
      await signals.stopped;
      const { delayMs, timeoutMs } = gateway.shutdown;
      log.info({ delayMs, timeoutMs }, "draining; another signal ends at once");
      await gateway.drain();
      log.info({}, "stopped");
      return EXIT.done;
    } finally {
      signals.close();
      await demo?.close();
      registry.close();
    }
  },
};

/** Takes signals from the first moment on: one that comes while the gateway starts must not end the process. */
function listenToSignals() {
  const stop = Promise.withResolvers<void>();
  let firstAt = 0;
  let hangUp: (() => Promise<void>) | null = null;
  let hasHungUp = false;
  const onStop = (signal: NodeJS.Signals) => {
    const now = performance.now();
    const isEcho = signal === "SIGINT" && now - firstAt <= ONE_SIGNAL_MS;
    if (firstAt === 0) firstAt = now;
    else if (!isEcho) process.exit(EXIT.failed);
    stop.resolve();
  };
  const onHangUp = () => {
    hasHungUp = true;
    void hangUp?.();
  };
  process.on("SIGTERM", onStop);
  process.on("SIGINT", onStop);
  process.on("SIGHUP", onHangUp);
  return {
    stopped: stop.promise,
    /** Calls it for every SIGHUP, and at once for one that came before. */
    onHangUp(handler: () => Promise<void>) {
      hangUp = handler;
      if (hasHungUp) void handler();
    },
    close() {
      process.off("SIGTERM", onStop);
      process.off("SIGINT", onStop);
      process.off("SIGHUP", onHangUp);
    },
  };
}

function announce(gateway: Gateway, demo: Demo | null, context: CommandContext): void {
  const [first] = gateway.addresses.values();
  for (const [name, { address, port }] of gateway.addresses) context.err(`${name} listens on ${origin(address, port)}`);
  context.err(`status is on http://127.0.0.1:${gateway.statusPort}/readyz and /metrics`);
  if (demo !== null && first !== undefined)
    context.err(`\n${demoGuide(origin(first.address, first.port), demo.endpoints)}`);
}

function origin(address: string, port: number): string {
  const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function reload(gateway: Gateway, context: CommandContext): Promise<void> {
  try {
    gateway.reopenLogs();
  } catch (error) {
    context.err(`the access log cannot be opened anew: ${error instanceof Error ? error.message : String(error)}`);
  }
  await gateway.reload();
}
