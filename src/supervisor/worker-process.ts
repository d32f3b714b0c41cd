import { readFileSync } from "node:fs";
import type { DrainManner } from "../gateway/listeners.ts";
import { within } from "../gateway/within.ts";
import { createInbox, failure, type Inbox, type Result } from "./inbox.ts";
import { createLineJoin } from "./line-join.ts";
import { type NamedCertificate, parseFromWorker, type Question, type ToWorker } from "./message.ts";
import type { MetricSource } from "./metrics.ts";
import type { SlotSocket } from "./sockets.ts";

/** Reading a configuration and importing plugins may take seconds each; beyond this, it will not come. */
const START_TIMEOUT_MS = 60_000;
const RELOAD_TIMEOUT_MS = 60_000;
/** Who a worker's child lends the worker's standard output to could keep it open for ever. */
const OUTPUT_TIMEOUT_MS = 1000;
/** The first descriptor that a child gets beside input, output and errors. */
const FIRST_FD = 3;

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface WorkerOptions {
  readonly slot: number;
  /** Of no other worker that lives. */
  readonly seat: number;
  /** The program and its arguments that become a worker. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly configPath: string | null;
  /** Fingerprints of certificates that are in force already, asked for at each start. */
  readonly certificatesInForce: () => ReadonlySet<string>;
  /** What the store holds, asked for at each start and reload. */
  readonly storedCertificates: () => readonly NamedCertificate[];
  /** Lent: the worker gets duplicates. */
  readonly sockets: readonly SlotSocket[];
  /** Takes whole lines of the worker's standard output, valid during the call. */
  readonly onOutput: (lines: Uint8Array) => void;
  /** Hears of a line that the worker left unfinished. */
  readonly onTornLine: () => void;
}

/** A worker process, from its start to its end. */
export interface WorkerProcess extends MetricSource {
  readonly pid: number;
  readonly startedAt: number;
  /** Keys of the sockets that it accepts on when it is ready. */
  readonly keys: ReadonlySet<string>;
  /** Resolves when it accepts, or will not. */
  readonly started: Promise<Result>;
  /** Resolves when the process is gone and what it wrote was read. */
  readonly exited: Promise<Exit>;
  /** True from its readiness on, until it drains or ends. */
  readonly isServing: boolean;
  /** True when it was told to drain, or is gone. */
  readonly isLeaving: boolean;
  /** True while it may be long at something that has a bound of its own, or a debugger holds it. */
  readonly isBusy: boolean;
  /** True when it said that it has taken no new connections for long. */
  readonly isOverloaded: boolean;
  /** Makes it say something between two pieces of its work. */
  ping(): void;
  /** Calls it at whatever the worker says, in the place of who was called before. */
  onWord(hear: () => void): void;
  /** JSON, one value a line; null when it did not come in time. */
  ask(question: Question, timeoutMs: number): Promise<string | null>;
  reload(): Promise<Result>;
  reopenLogs(): void;
  /** Ends it gracefully, by the bounds of its configuration. */
  drain(manner: DrainManner): void;
  kill(): void;
}

async function readLines(stream: ReadableStream<Uint8Array>, options: WorkerOptions): Promise<void> {
  const join = createLineJoin(options.onOutput);
  for await (const bytes of stream) join.add(bytes);
  if (join.end()) options.onTornLine();
}

/** Says whether the runtime, or another process, may hold it at a breakpoint. */
function isDebugged(pid: number, { command, env }: WorkerOptions): boolean {
  if (env["BUN_INSPECT"] || command.some((argument) => argument.startsWith("--inspect"))) return true;
  try {
    return /^TracerPid:\s+[1-9]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function spawn(options: WorkerOptions, inbox: Pick<Inbox, "take">, onDisconnect: () => void) {
  const fds = options.sockets.map(({ fd }) => fd);
  return Bun.spawn([...options.command], {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ["ignore", "pipe", "inherit", ...fds],
    // The default form takes fifteen times as long for large messages.
    serialization: "json",
    onDisconnect,
    ipc(received) {
      const message = parseFromWorker(received);
      if (message !== null) inbox.take(message);
    },
  });
}

/** Starts a worker. Throws when the program cannot be run. */
export function startWorker(options: WorkerOptions): WorkerProcess {
  const inbox = createInbox(() => child.disconnect());
  let isConnected = true;
  let hear = (): void => {};
  const take: Inbox["take"] = (message) => {
    inbox.take(message);
    hear();
  };
  const child = spawn(options, { take }, () => {
    isConnected = false;
  });
  let isLeaving = false;
  let isReady = false;
  let reloads = 0;
  const send = (message: ToWorker): void => {
    // Its end may be known to the system and not yet to us.
    if (isConnected) child.send(message);
  };
  send(startMessage(options));
  const reading = readLines(child.stdout, options);
  const exited = child.exited.then(async (): Promise<Exit> => {
    isLeaving = true;
    inbox.close("it ended before it was ready");
    await within(reading, OUTPUT_TIMEOUT_MS);
    return { code: child.exitCode, signal: child.signalCode === null ? null : String(child.signalCode) };
  });
  const timer = setTimeout(() => {
    inbox.close(`it was not ready within ${START_TIMEOUT_MS / 1000} s`);
    child.kill("SIGKILL");
  }, START_TIMEOUT_MS);
  const started = inbox.started.finally(() => clearTimeout(timer));
  const readied = started.then(({ isDone }) => {
    isReady = isDone;
  });
  return {
    pid: child.pid,
    startedAt: performance.now(),
    keys: new Set(options.sockets.map(({ key }) => key)),
    started: readied.then(() => started),
    exited,
    get isServing() {
      return isReady && !isLeaving;
    },
    get isLeaving() {
      return isLeaving;
    },
    get isBusy() {
      return reloads > 0 || isDebugged(child.pid, options);
    },
    get isOverloaded() {
      return inbox.isOverloaded;
    },
    ping: () => send({ type: "ping" }),
    onWord(next) {
      hear = next;
    },
    get lastMetrics() {
      return inbox.lastMetrics;
    },
    ...questions(inbox, send),
    async reload() {
      const certificates = options.storedCertificates();
      reloads++;
      const answer = await inbox.reloads.wait(RELOAD_TIMEOUT_MS, (id) => send({ type: "reload", id, certificates }));
      reloads--;
      return answer ?? failure("it did not answer");
    },
    reopenLogs: () => send({ type: "reopen_logs" }),
    drain({ isRelieved, isPatient }) {
      isLeaving = true;
      send({ type: "drain", isRelieved, isPatient });
    },
    kill: () => child.kill("SIGKILL"),
  };
}

function questions(
  { metrics, answers }: Pick<Inbox, "metrics" | "answers">,
  send: (message: ToWorker) => void,
): Pick<WorkerProcess, "metrics" | "ask"> {
  return {
    metrics: (timeoutMs) => metrics.wait(timeoutMs, (id) => send({ type: "metrics", id })),
    ask: (question, timeoutMs) => answers.wait(timeoutMs, (id) => send({ type: "ask", id, ...question })),
  };
}

function startMessage(options: WorkerOptions): ToWorker {
  const { slot, seat, configPath } = options;
  return {
    type: "start",
    slot,
    seat,
    configPath,
    certificatesInForce: [...options.certificatesInForce()],
    certificates: options.storedCertificates(),
    sockets: options.sockets.map(({ key, port }, at) => ({ key, port, fd: FIRST_FD + at })),
  };
}
