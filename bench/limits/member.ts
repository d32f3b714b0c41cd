import { MONOTONIC_CLOCK } from "../../src/limit/clock.ts";
import type { Verdict } from "../../src/limit/limit.ts";
import { createLimits } from "../../src/limit/limits.ts";
import { createRedisStore } from "../../src/store/redis.ts";
import type { Store } from "../../src/store/store.ts";
import { type Job, type JobReport, requestsDue } from "./job.ts";
import { machineClockOffsetMs } from "./machine-clock.ts";
import { createRecorder, type Recorder } from "./records.ts";
import { createScriptLimiter } from "./script-limiter.ts";

/** A request of an open load is left out when so many are unanswered: else a slow store would eat all memory. */
const MOST_UNANSWERED = 2000;
const TICK_MS = 1;
/** How long answers may take after the last request. */
const AFTER_MS = 1500;

type Outcome = Pick<Verdict, "isAdmitted" | "mode">;

interface Taker {
  take(key: string): Outcome | Promise<Outcome>;
  /** When the last verdict was decided, by `performance.now()`. */
  decidedAt(): number;
  /** Whether it knows so many gateways. */
  isReady(): boolean;
  storeCalls(): number;
  close(): Promise<void>;
}

function leaseTaker(store: Store, job: Job): Taker {
  // The very reading that a verdict was decided by: the process may be interrupted before anyone else reads a clock.
  let readAt = 0;
  const nowMs = (): number => {
    readAt = performance.now();
    return readAt;
  };
  const { gateway, gateways: assumedGateways } = job;
  const limits = createLimits({ store, gateway, assumedGateways, clock: { ...MONOTONIC_CLOCK, nowMs } });
  const limiter = limits.limiter(job.spec);
  const isReady = (): boolean => {
    const { mode, gateways } = limits.state();
    return mode === "leased" && gateways >= job.gateways;
  };
  const storeCalls = () => limits.state().storeCalls;
  const take = (key: string) => limiter.take(key);
  return { take, decidedAt: () => readAt, isReady, storeCalls, close: () => limits.close() };
}

function scriptTaker(store: Store, job: Job): Taker {
  const ask = createScriptLimiter(store, job.spec);
  let calls = 0;
  const take = async (key: string): Promise<Outcome> => {
    calls += 1;
    const isAdmitted = await ask(key);
    return { isAdmitted, mode: "leased" };
  };
  const isReady = (): boolean => store.state === "ready";
  return { take, decidedAt: () => performance.now(), isReady, storeCalls: () => calls, close: async () => {} };
}

/** What became of the requests of a process. */
class Outcomes {
  readonly faults: string[] = [];
  readonly modes: Record<string, number> = {};
  unanswered = 0;
  slowestMs = 0;
  readonly #job: Job;
  readonly #taker: Taker;
  readonly #offsetMs: number;
  readonly #recorder: Recorder;
  readonly #keys: readonly string[];

  constructor(job: Job, taker: Taker, offsetMs: number) {
    this.#job = job;
    this.#taker = taker;
    this.#offsetMs = offsetMs;
    this.#recorder = createRecorder(job.recordFile);
    this.#keys = Array.from({ length: job.keys }, (_, number) => `key-${number}`);
  }

  fail(error: unknown): void {
    if (this.faults.length >= 20) return;
    this.faults.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  }

  ask(number: number): void {
    const key = number % this.#job.keys;
    const cameAt = performance.now();
    const record = this.#recorder.came(key, cameAt + this.#offsetMs);
    const verdict = this.#taker.take(this.#keys[key] ?? "");
    if (verdict instanceof Promise) void this.#wait(record, verdict, cameAt);
    else this.#settle(record, verdict);
  }

  async #wait(record: number, verdict: Promise<Outcome>, cameAt: number): Promise<void> {
    this.unanswered += 1;
    try {
      this.#settle(record, await verdict);
    } catch (error) {
      this.fail(error);
    }
    this.unanswered -= 1;
    this.slowestMs = Math.max(this.slowestMs, performance.now() - cameAt);
  }

  #settle(record: number, { isAdmitted, mode }: Outcome): void {
    this.modes[mode] = (this.modes[mode] ?? 0) + 1;
    if (isAdmitted) this.#recorder.admitted(record, this.#taker.decidedAt() + this.#offsetMs);
    else this.#recorder.refused(record);
  }
}

/** Asks as the demand says, and waits for the last answers. */
async function load(job: Job, outcomes: Outcomes): Promise<void> {
  const startedAt = performance.now();
  const durationMs = job.seconds * 1000;
  let asked = 0;
  for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = performance.now() - startedAt) {
    const due = Math.floor(requestsDue(job.demand, elapsedMs));
    for (; asked < due; asked++) if (outcomes.unanswered < MOST_UNANSWERED) outcomes.ask(asked);
    await Bun.sleep(TICK_MS);
  }
  const untilAt = performance.now() + AFTER_MS;
  while (outcomes.unanswered > 0 && performance.now() < untilAt) await Bun.sleep(TICK_MS);
  if (outcomes.unanswered > 0) outcomes.fail(new Error(`${outcomes.unanswered} verdicts never came`));
}

/** Says `ready`, waits for a line, loads, reports. */
async function main(text: string): Promise<void> {
  // The one who started it wrote it.
  const job = JSON.parse(text) as Job;
  const store = createRedisStore({ config: job.redis });
  const taker = job.kind === "lease" ? leaseTaker(store, job) : scriptTaker(store, job);
  while (!taker.isReady()) await Bun.sleep(10);
  const offsetMs = machineClockOffsetMs();
  process.stdout.write("ready\n");
  for await (const _ of Bun.stdin.stream()) break;
  const outcomes = new Outcomes(job, taker, offsetMs);
  process.on("uncaughtException", (error) => outcomes.fail(error));
  process.on("unhandledRejection", (error) => outcomes.fail(error));
  const before = process.cpuUsage();
  await load(job, outcomes);
  const { user, system } = process.cpuUsage(before);
  const { faults, modes, slowestMs } = outcomes;
  const report: JobReport = { faults, modes, slowestMs, storeCalls: taker.storeCalls(), cpuUs: user + system };
  await taker.close();
  await store.close();
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

if (import.meta.main) {
  await main(process.argv[2] ?? "");
  process.exit(0);
}
