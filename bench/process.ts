import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";

/** CPU time since start and memory now, of a process and all its descendants. */
export interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** Linux reports CPU time to user space in ticks of 1/100 s on every architecture. */
const TICK_MS = 10;

/** Ids of a process and of all its living descendants; empty when it has ended. */
export function processTree(rootPid: number): readonly number[] {
  const parents = readParents();
  if (!parents.has(rootPid)) return [];
  const tree = [rootPid];
  for (const pid of tree) tree.push(...childrenOf(pid, parents));
  return tree;
}

function childrenOf(pid: number, parents: ReadonlyMap<number, number>): readonly number[] {
  return [...parents].filter(([, parent]) => parent === pid).map(([child]) => child);
}

function readParents(): ReadonlyMap<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const fields = Number.isInteger(pid) ? readStat(pid) : null;
    if (fields !== null) parents.set(pid, Number(fields[1]));
  }
  return parents;
}

/** Sums a process and its descendants; those that ended and were waited for are in their parent's CPU time. */
export function readUsage(rootPid: number): Usage {
  const tree = processTree(rootPid);
  return { cpuMs: sum(tree.map(readCpuMs)), rssBytes: readRssBytes(tree) };
}

/** Resident memory of the given processes; pages that they share count once for each. */
export function readRssBytes(pids: readonly number[]): number {
  return sum(pids.map(readOneRssBytes));
}

function readOneRssBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readProc(pid, "status") ?? "")?.[1];
  return Number(kib ?? 0) * 1024;
}

function readCpuMs(pid: number): number {
  // Fields 14 to 17 of proc(5): utime, stime, cutime, cstime; `readStat` starts at field 3.
  return sum((readStat(pid) ?? []).slice(11, 15).map(Number)) * TICK_MS;
}

/** Fields of /proc/PID/stat from the third on: the second, the name, may hold spaces and parentheses. */
function readStat(pid: number): readonly string[] | null {
  const text = readProc(pid, "stat");
  return text === null ? null : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // It ended between two reads.
    return null;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A program that runs until it is stopped; `env` adds to this process's environment. */
export interface StartOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly core: number;
  /** Takes standard output and standard error, appended. */
  readonly logFile: string;
}

/** A started process. Whoever started it stops it through `Children.stop` or `Children.close`. */
export interface Child {
  readonly pid: number;
  readonly logFile: string;
  isRunning(): boolean;
}

/** Of a program that ended by itself. */
export interface RunResult {
  readonly exitCode: number;
  readonly output: string;
}

/** All processes of one benchmark, so that none outlives it. */
export interface Children {
  start(options: StartOptions): Child;
  /** Runs to the end and returns what it wrote to standard output and standard error. */
  run(command: readonly string[], core: number): Promise<RunResult>;
  /** Asks it to end, and after two seconds ends it and its descendants, each by its id. */
  stop(child: Child): Promise<void>;
  /** Stops all; from then on `start` and `run` throw. */
  close(): Promise<void>;
}

type Subprocess = ReturnType<typeof Bun.spawn>;

const STOP_GRACE_MS = 2000;

/** Whoever makes it closes it, on every way out. */
export function createChildren(): Children {
  const running = new Map<number, Subprocess>();
  let isClosed = false;
  const checkOpen = () => {
    if (isClosed) throw new Error("the benchmark is at its end");
  };
  const remember = (subprocess: Subprocess) => {
    running.set(subprocess.pid, subprocess);
    void subprocess.exited.then(() => running.delete(subprocess.pid));
    return subprocess;
  };
  const stopPid = async (pid: number) => {
    const subprocess = running.get(pid);
    if (subprocess !== undefined) await endTree(subprocess);
  };
  return {
    start: (options) => {
      checkOpen();
      const subprocess = remember(spawnLogged(options));
      const isRunning = () => running.has(subprocess.pid);
      return { pid: subprocess.pid, logFile: options.logFile, isRunning };
    },
    run: async (command, core) => {
      checkOpen();
      const subprocess = Bun.spawn(pinned(command, core), { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
      remember(subprocess);
      const texts = await Promise.all([subprocess.stdout.text(), subprocess.stderr.text()]);
      return { exitCode: await subprocess.exited, output: texts.join("") };
    },
    stop: (child) => stopPid(child.pid),
    close: async () => {
      isClosed = true;
      await Promise.all([...running.keys()].map(stopPid));
    },
  };
}

function spawnLogged(options: StartOptions): Subprocess {
  const log = openSync(options.logFile, "a");
  try {
    return Bun.spawn(pinned(options.command, options.core), {
      cwd: options.directory,
      env: { ...process.env, ...options.env },
      stdin: "ignore",
      stdout: log,
      stderr: log,
    });
  } finally {
    closeSync(log);
  }
}

/** Also gives the child all the open files that it may have: a thousand clients are two thousand sockets. */
function pinned(command: readonly string[], core: number): string[] {
  return ["sh", "-c", 'ulimit -S -n "$(ulimit -H -n)"; exec "$@"', "sh", "taskset", "-c", String(core), ...command];
}

async function endTree(subprocess: Subprocess): Promise<void> {
  // Taken first: descendants of a process that has ended can no longer be found through it.
  const tree = processTree(subprocess.pid);
  subprocess.kill("SIGTERM");
  const hasEnded = await Promise.race([subprocess.exited.then(() => true), Bun.sleep(STOP_GRACE_MS).then(() => false)]);
  for (const pid of hasEnded ? tree.slice(1) : tree) killQuietly(pid);
  await subprocess.exited;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Already gone, as it should be.
  }
}
