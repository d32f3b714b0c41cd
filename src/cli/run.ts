import { parseArgs } from "node:util";
import pino from "pino";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import { createMemoryRegistry } from "../registry/memory.ts";
import { type Command, type CommandContext, EXIT } from "./command.ts";
import { type Demo, demoGuide, startDemo } from "./demo.ts";

/** A terminal and the package runner above us both pass one Ctrl-C on: signals so close together are one. */
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
    const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }));
    const stop = Promise.withResolvers<number>();
    const early = onStopSignals(
      () => stop.resolve(EXIT.done),
      () => process.exit(EXIT.failed),
    );
    try {
      const gateway = await createGateway({
        configPath: values.config ?? null,
        env: context.env,
        cwd: context.cwd,
        version: context.version,
        openCatalog: context.openCatalog,
        log,
        registry,
      });
      announce(gateway, demo, context);
      const hangUp = () => void reload(gateway, context);
      process.on("SIGHUP", hangUp);
      const code = await stop.promise;
      log.info({}, "draining");
      await gateway.drain();
      log.info({}, "stopped");
      return code;
    } finally {
      early();
      await demo?.close();
      registry.close();
    }
  },
};

/** Calls `first` at the first signal and `second` at one that comes later; returns what takes the listeners off. */
function onStopSignals(first: () => void, second: () => void): () => void {
  let firstAt = 0;
  const heard = () => {
    const now = performance.now();
    if (firstAt === 0) {
      firstAt = now;
      first();
    } else if (now - firstAt > ONE_SIGNAL_MS) second();
  };
  process.on("SIGTERM", heard);
  process.on("SIGINT", heard);
  return () => {
    process.off("SIGTERM", heard);
    process.off("SIGINT", heard);
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
