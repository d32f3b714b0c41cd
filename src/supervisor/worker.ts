import type { Logger } from "pino";
import { turn } from "../admin/json-text.ts";
import { ledgerAsk } from "../admin/ledger-schema.ts";
import type { OpenCatalog } from "../config/catalog.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import type { DrainManner } from "../gateway/listeners.ts";
import { createMemoryRegistry, type MemoryRegistry } from "../registry/memory.ts";
import { LAST_METRICS, type ToWorker } from "./message.ts";
import { createWorkerCertificates, type WorkerCertificates } from "./worker-certificates.ts";
import type { WorkerChannel } from "./worker-channel.ts";
import { createWorkerSockets, type WorkerSockets } from "./worker-sockets.ts";

/** Larger messages would hold up requests while they are made. */
const PIECE_CHARACTERS = 64 * 1024;

export interface WorkerContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  readonly openCatalog: OpenCatalog;
  /** The application's log of the worker in this slot. */
  readonly logFor: (slot: number) => Logger;
}

type Start = Extract<ToWorker, { readonly type: "start" }>;
type Ask = Extract<ToWorker, { readonly type: "ask" }>;
type Reload = Extract<ToWorker, { readonly type: "reload" }>;

interface Worker {
  readonly gateway: Gateway;
  /** What the supervisor told of the store. */
  readonly certificates: WorkerCertificates;
  readonly sockets: WorkerSockets;
  readonly log: Logger;
  readonly channel: WorkerChannel;
}

/**
 * Serves as one of several processes, until the supervisor tells it to drain, or is gone, or SIGTERM comes. Resolves
 * with whether it served.
 */
export async function runWorker(channel: WorkerChannel, context: WorkerContext): Promise<boolean> {
  const drain = Promise.withResolvers<DrainManner>();
  const start = Promise.withResolvers<Start>();
  const alone = { isRelieved: false, isPatient: false };
  const signals = listenToSignals(() => drain.resolve(alone));
  const early: ToWorker[] = [];
  let handle = (message: ToWorker): void => void early.push(message);
  channel.onMessage((message) => {
    if (message.type === "start") start.resolve(message);
    else if (message.type === "drain") drain.resolve(message);
    else handle(message);
  });
  void channel.closed.then(() => drain.resolve(alone));
  const registry = createMemoryRegistry();
  try {
    const first = await Promise.race([start.promise, drain.promise]);
    if (!("slot" in first)) return false;
    const worker = await startServing(first, { channel, context, registry });
    if (worker === null) return false;
    handle = (message) => void answer(message, worker);
    early.forEach(handle);
    await drainWorker(worker, await drain.promise);
    return true;
  } finally {
    signals.close();
    registry.close();
  }
}

/** A terminal passes interrupts and hang-ups to all its processes: the supervisor decides what they mean. */
function listenToSignals(onTerminate: () => void) {
  const ignored = ["SIGINT", "SIGHUP", "SIGUSR2"] as const;
  const ignore = (): void => {};
  for (const name of ignored) process.on(name, ignore);
  process.on("SIGTERM", onTerminate);
  return {
    close() {
      for (const name of ignored) process.off(name, ignore);
      process.off("SIGTERM", onTerminate);
    },
  };
}

async function startServing(
  { slot, seat, configPath, certificatesInForce, certificates: told, sockets: handed }: Start,
  { channel, context, registry }: StartDeps,
): Promise<Worker | null> {
  const sockets = createWorkerSockets(handed);
  const certificates = createWorkerCertificates(told);
  const log = context.logFor(slot);
  const { env, cwd, version, openCatalog } = context;
  try {
    const supervised = { socketFor: sockets.socketFor, readCertificate: certificates.read, seat };
    const inForce = { certificatesInForce: new Set(certificatesInForce) };
    const options = { configPath, env, cwd, version, openCatalog, log, registry, supervised, ...inForce };
    const gateway = await createGateway(options);
    channel.send({ type: "ready", version: gateway.snapshot()?.version ?? "" });
    return { gateway, certificates, sockets, log, channel };
  } catch (error) {
    sockets.close();
    channel.send({ type: "fatal", ...reasonOf(error) });
    // A channel closed from here would lose what was just sent.
    await channel.closed;
    return null;
  }
}

interface StartDeps {
  readonly channel: WorkerChannel;
  readonly context: WorkerContext;
  readonly registry: MemoryRegistry;
}

function reasonOf(error: unknown): { readonly issues: ConfigIssue[]; readonly message: string } {
  const issues = error instanceof ConfigError ? [...error.issues] : [];
  return { issues, message: error instanceof Error ? error.message : String(error) };
}

async function answer(message: ToWorker, worker: Worker): Promise<void> {
  if (message.type === "reload") await reload(message, worker);
  else if (message.type === "metrics") await sendMetrics(message.id, worker);
  else if (message.type === "ask") await sendAnswer(message, worker);
  else if (message.type === "reopen_logs") reopenLogs(worker);
  else if (message.type === "ping") worker.channel.send({ type: "pong", isOverloaded: worker.gateway.isOverloaded });
}

async function reload({ id, certificates: told }: Reload, worker: Worker): Promise<void> {
  const { gateway, certificates, channel } = worker;
  try {
    certificates.take(told);
    const result = await gateway.reload();
    if (result.isLive) channel.send({ type: "reloaded", id, version: result.version });
    else channel.send({ type: "refused", id, ...reasonOf(result.error) });
  } catch (error) {
    channel.send({ type: "refused", id, ...reasonOf(error) });
  }
}

async function sendMetrics(id: number, { gateway, channel }: Pick<Worker, "gateway" | "channel">): Promise<void> {
  const text = await gateway.metrics.render();
  await inPieces(text, (piece) => channel.send({ type: "metrics_part", id, text: piece }));
  channel.send({ type: "metrics_end", id });
}

async function inPieces(text: string, send: (piece: string) => void): Promise<void> {
  for (let at = 0; at < text.length; at += PIECE_CHARACTERS) {
    send(text.slice(at, at + PIECE_CHARACTERS));
    await turn();
  }
}

/** What cannot be answered is not: whoever asks does not wait for ever. */
async function sendAnswer({ id, about, name }: Ask, { gateway, log, channel }: Worker): Promise<void> {
  try {
    const values = await valuesOf(gateway, { about, name });
    for (const value of values)
      await inPieces(`${JSON.stringify(value)}\n`, (text) => channel.send({ type: "answer_part", id, text }));
    channel.send({ type: "answer_end", id });
  } catch (error) {
    log.error({ err: error, about }, "a question of the admin API cannot be answered");
  }
}

async function valuesOf(gateway: Gateway, { about, name }: Pick<Ask, "about" | "name">): Promise<readonly unknown[]> {
  if (about === "status") return [await gateway.admin.status()];
  if (about === "ledger") return [await gateway.admin.ledger(ledgerAsk.parse(JSON.parse(name ?? "")))];
  if (about === "limits") return (await gateway.admin.limits()).map(({ limits }) => limits);
  return await servicesOf(gateway, name);
}

async function servicesOf({ admin }: Gateway, name: string | null): Promise<readonly unknown[]> {
  return (await admin.services(name)).flatMap(({ services }) => services ?? []);
}

function reopenLogs({ gateway, log }: Worker): void {
  try {
    gateway.reopenLogs();
  } catch (error) {
    log.error({ err: error }, "the access log cannot be opened anew");
  }
}

async function drainWorker(worker: Worker, manner: DrainManner): Promise<void> {
  const { gateway, sockets, log, channel } = worker;
  const { delayMs, timeoutMs } = gateway.shutdown;
  log.info({ delayMs, timeoutMs }, channel.isOpen ? "worker drains" : "worker drains: its supervisor is gone");
  sockets.close();
  await gateway.drain(manner);
  await sendMetrics(LAST_METRICS, worker);
  channel.send({ type: "drained" });
  await channel.closed;
}
