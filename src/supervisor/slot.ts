import type { Logger } from "pino";
import type { DrainManner } from "../gateway/listeners.ts";
import { type Backoff, createBackoff } from "./backoff.ts";
import { failure, type Result } from "./inbox.ts";
import type { RestartReason } from "./metrics.ts";
import { createPause, type Pause } from "./pause.ts";
import { createPulse, type Pulse, type PulseLimits } from "./pulse.ts";
import { createTurns, type Turns } from "./turns.ts";
import type { Exit, WorkerProcess } from "./worker-process.ts";

/** A place for one worker, with sockets of its own. */
export interface Slot {
  readonly number: number;
  /** The worker that serves; null while there is none. */
  readonly current: WorkerProcess | null;
  /** True when that one does what it is asked. */
  readonly isAnswering: boolean;
  /** True when, beyond that, new connections are accepted where they come to it. */
  readonly isTaking: boolean;
  /** All its processes that live: one that starts, one that serves, those that drain. */
  readonly processes: ReadonlySet<WorkerProcess>;
  /** Starts the first worker. Rejects never: the result tells. */
  start(): Promise<Result>;
  /** Starts a worker beside the present one; when it is ready, the old one drains. On failure the old one stays. */
  replace(reason: RestartReason): Promise<Result>;
  /** Tries at once what would be tried later, where the last worker could not be replaced. */
  revive(): void;
  /** Resolves when no worker is being started. */
  settled(): Promise<void>;
  /** Starts nobody any more, and drains who is there, all at once. `isPatient`: other slots go on. */
  stop(manner: Pick<DrainManner, "isPatient">): Promise<void>;
  kill(): void;
}

export interface SlotOptions {
  readonly number: number;
  /** Starts a process. May throw. */
  readonly spawn: () => WorkerProcess;
  readonly log: Logger;
  readonly pulse: PulseLimits;
  /** How long a drain may take before the process is killed. Asked at each drain. */
  readonly drainBoundMs: () => number;
  /** Another worker serves, or none; or it takes no connections, or does again. */
  readonly onChange: () => void;
  readonly onRestart: (reason: RestartReason) => void;
  /** A process is gone. */
  readonly onGone: (worker: WorkerProcess) => void;
}

interface State {
  readonly options: SlotOptions;
  readonly processes: Set<WorkerProcess>;
  /** Starts follow one another, so that there are never two new workers. */
  readonly inTurn: Turns;
  readonly backoff: Backoff;
  readonly pause: Pause;
  current: WorkerProcess | null;
  /** Of the one that serves. */
  pulse: Pulse | null;
  isStopped: boolean;
}

/** An empty slot. */
export function createSlot(options: SlotOptions): Slot {
  const state: State = {
    options,
    processes: new Set(),
    inTurn: createTurns(),
    backoff: createBackoff(),
    pause: createPause(),
    current: null,
    pulse: null,
    isStopped: false,
  };
  return {
    number: options.number,
    get current() {
      return state.current;
    },
    get isAnswering() {
      return isAnswering(state);
    },
    get isTaking() {
      return isAnswering(state) && state.current?.isOverloaded === false;
    },
    processes: state.processes,
    start: () => state.inTurn(() => startOne(state)),
    replace: (reason) => replace(reason, state),
    revive: state.pause.end,
    settled: () => state.inTurn(() => Promise.resolve()),
    async stop({ isPatient }) {
      giveUp(state);
      const manner = { isRelieved: false, isPatient };
      await Promise.all([...state.processes].map((worker) => stopOne(worker, manner, state)));
      await state.inTurn(() => Promise.resolve());
    },
    kill() {
      giveUp(state);
      for (const worker of state.processes) worker.kill();
    },
  };
}

function isAnswering({ current, pulse }: State): boolean {
  return current !== null && pulse?.isSilent === false;
}

function giveUp(state: State): void {
  state.isStopped = true;
  state.pause.end();
}

function serve(worker: WorkerProcess | null, state: State): void {
  state.pulse?.close();
  state.current = worker;
  state.pulse = worker === null ? null : watch(worker, state.options);
  state.options.onChange();
}

/** A worker that hangs holds up the connections that come to it, and would for ever. */
function watch(worker: WorkerProcess, { number, pulse: limits, log, onChange }: SlotOptions): Pulse {
  const who = { worker: number, pid: worker.pid };
  const pulse = createPulse({
    limits,
    ask: worker.ping,
    // Its end has a bound already.
    isExcused: () => worker.isLeaving || worker.isBusy,
    onChange() {
      if (pulse.isSilent) log.warn(who, "worker does not answer: new connections go to the others");
      else log.info(who, "worker answers again");
      onChange();
    },
    onHung() {
      log.error({ ...who, silentMs: limits.hungMs }, "worker hangs and is killed");
      worker.kill();
    },
  });
  let wasOverloaded = worker.isOverloaded;
  worker.onWord(() => {
    pulse.heard();
    if (worker.isOverloaded === wasOverloaded) return;
    wasOverloaded = worker.isOverloaded;
    onChange();
  });
  return pulse;
}

function spawn({ options }: State): WorkerProcess | Result {
  try {
    return options.spawn();
  } catch (error) {
    return failure(error instanceof Error ? error.message : String(error));
  }
}

async function startOne(state: State): Promise<Result> {
  const { options, processes } = state;
  if (state.isStopped) return failure("the gateway is shutting down");
  const worker = spawn(state);
  if ("isDone" in worker) return worker;
  processes.add(worker);
  void worker.exited.then((exit) => gone(worker, exit, state));
  const started = await worker.started;
  if (started.isDone && !state.isStopped && processes.has(worker)) {
    options.log.info({ worker: options.number, pid: worker.pid }, "worker is ready");
    serve(worker, state);
    return started;
  }
  worker.kill();
  await worker.exited;
  return started.isDone ? failure("it ended as soon as it was ready") : started;
}

function gone(worker: WorkerProcess, exit: Exit, state: State): void {
  const { options } = state;
  state.processes.delete(worker);
  options.onGone(worker);
  if (worker !== state.current) return;
  const reason = state.pulse?.isHung ? "hung" : "crash";
  serve(null, state);
  if (state.isStopped) return;
  options.log.error({ worker: options.number, pid: worker.pid, ...exit }, "worker ended unexpectedly");
  void recover({ ranMs: performance.now() - worker.startedAt, reason }, state);
}

interface Ended {
  readonly ranMs: number;
  readonly reason: RestartReason;
}

/** Tries until somebody serves, ever less often. */
async function recover({ ranMs, reason }: Ended, state: State): Promise<void> {
  const { backoff, inTurn, options } = state;
  let waitMs = backoff.after(ranMs);
  while (state.current === null && !state.isStopped) {
    await state.pause.wait(waitMs);
    const result = await inTurn(async () => (state.current === null ? await startOne(state) : null));
    if (result === null) return;
    if (result.isDone) return options.onRestart(reason);
    logFailure(result, state);
    waitMs = backoff.after(0);
  }
}

function logFailure(result: Result, { options: { log, number }, isStopped }: State): void {
  if (result.isDone || isStopped) return;
  for (const issue of result.issues) log.error({ worker: number, ...issue }, "worker cannot start");
  if (result.issues.length === 0) log.error({ worker: number, reason: result.message }, "worker cannot start");
}

async function replace(reason: RestartReason, state: State): Promise<Result> {
  const { before, result } = await state.inTurn(async () => {
    const before = state.current;
    return { before, result: await startOne(state) };
  });
  if (!result.isDone) {
    logFailure(result, state);
    return result;
  }
  state.options.onRestart(reason);
  // It drains outside the turn: meanwhile the new one may need a replacement.
  const manner = { isRelieved: true, isPatient: true };
  if (before !== null && state.processes.has(before)) await drain(before, manner, state);
  return result;
}

async function drain(worker: WorkerProcess, manner: DrainManner, { options }: State): Promise<void> {
  worker.drain(manner);
  const timer = setTimeout(() => {
    options.log.error({ worker: options.number, pid: worker.pid }, "worker did not end in time and is killed");
    worker.kill();
  }, options.drainBoundMs());
  await worker.exited;
  clearTimeout(timer);
}

function stopOne(worker: WorkerProcess, manner: DrainManner, state: State): Promise<unknown> {
  if (worker.isServing) return drain(worker, manner, state);
  // One that drains goes on; one that only starts has nothing to end.
  if (!worker.isLeaving) worker.kill();
  return worker.exited;
}
