import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LimitSpec } from "../../src/limit/limit.ts";
import type { RedisTarget } from "../../src/store/redis-target.ts";
import { type Demand, type Job, type JobReport, type LimiterKind, requestsDue } from "./job.ts";
import { type KeyRecord, makeRecordFile, readRecords } from "./records.ts";

const MEMBER = join(import.meta.dir, "member.ts");

export interface GroupOptions {
  readonly kind: LimiterKind;
  readonly spec: LimitSpec;
  readonly keys: number;
  readonly seconds: number;
  /** One process for each, with its demand and its way to Redis. */
  readonly members: readonly { readonly demand: Demand; readonly redis: RedisTarget }[];
}

/** One process of a group. */
export interface Member {
  readonly pid: number;
  signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
  /** Its report, or null where it ended without one. */
  readonly report: Promise<JobReport | null>;
}

/** Processes that ask their limiters for the same keys, and all know each other. */
export interface Group extends AsyncDisposable {
  readonly members: readonly Member[];
  /** Lets them ask. */
  go(): void;
  /** What became of all requests, once all have ended. */
  records(): Promise<ReadonlyMap<number, KeyRecord>>;
}

type Child = Bun.Subprocess<"pipe", "pipe", "inherit">;

interface Output {
  readonly ready: Promise<void>;
  readonly report: Promise<JobReport | null>;
}

/** Its two lines. */
function outputOf(child: Child): Output {
  const ready = Promise.withResolvers<void>();
  const report = (async () => {
    let text = "";
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (text.includes("\n")) ready.resolve();
    }
    ready.reject(new Error("a limiter's process ended before its start"));
    const line = text.split("\n")[1] ?? "";
    // It is what `member.ts` wrote.
    return line === "" ? null : (JSON.parse(line) as JobReport);
  })();
  ready.promise.catch(() => {});
  return { ready: ready.promise, report };
}

/** Starts the processes; all are connected and know each other when this resolves. Whoever makes it disposes of it. */
export async function startGroup(options: GroupOptions): Promise<Group> {
  const folder = await mkdtemp(join(tmpdir(), "torii-limits-"));
  const { kind, spec, keys, seconds, members } = options;
  const run = crypto.randomUUID();
  const files = members.map((_, number) => join(folder, `${number}.records`));
  const started = members.map(({ demand, redis }, number) => {
    const recordFile = files[number] ?? "";
    makeRecordFile(recordFile, Math.ceil(requestsDue(demand, seconds * 1000 + 5000) * 1.1) + 1000);
    const gateway = `${run}-${number}`;
    const job: Job = { kind, redis, gateway, gateways: members.length, spec, keys, demand, seconds, recordFile };
    const command = [process.execPath, MEMBER, JSON.stringify(job)];
    const child: Child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    return { child, ...outputOf(child) };
  });

  async function end(): Promise<void> {
    for (const { child } of started) child.kill("SIGKILL");
    await Promise.all(started.map(({ child }) => child.exited));
    await rm(folder, { recursive: true, force: true });
  }

  try {
    await Promise.all(started.map(({ ready }) => ready));
  } catch (error) {
    await end();
    throw error;
  }
  return {
    members: started.map(({ child, report }) => ({ pid: child.pid, report, signal: (name) => child.kill(name) })),
    go: () => {
      for (const { child } of started) {
        child.stdin.write("go\n");
        void child.stdin.flush();
      }
    },
    records: async () => {
      await Promise.all(started.map(({ report }) => report));
      return readRecords(files);
    },
    [Symbol.asyncDispose]: end,
  };
}
