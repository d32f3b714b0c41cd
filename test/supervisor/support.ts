import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { connect, exchange } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { startTorii, type ToriiProcess } from "../support/process.ts";
import { closedPort } from "../support/unreachable.ts";

export interface WorkersSetup {
  /** 2 by default. */
  readonly workers?: number;
  /** Files beside torii.yaml, by path; `routes/main.ts` answers every request with the worker's process id by default. */
  readonly files?: Readonly<Record<string, string>>;
  /** Merged over torii.yaml. */
  readonly torii?: Readonly<Record<string, unknown>>;
}

/** A gateway of several processes. */
export interface Workers extends AsyncDisposable {
  readonly torii: ToriiProcess;
  readonly port: number;
  readonly statusPort: number;
  readonly folder: string;
  /** Replaces a file in one step. */
  write(path: string, text: string): Promise<void>;
  /** Replaces torii.yaml by the one of the setup with these keys over it. */
  configure(torii: Readonly<Record<string, unknown>>): Promise<void>;
  /** Process ids of the children that live. */
  pids(): Promise<readonly number[]>;
  /** The process id that answers a request on a new connection. */
  ask(): Promise<number>;
  /** Which processes answer so many requests, each on a connection of its own. */
  askMany(count: number): Promise<ReadonlyMap<number, number>>;
  /** A value of `/metrics`, summed over the samples that begin with this text; null when there is none. */
  metric(sample: string): Promise<number | null>;
  isReady(): Promise<boolean>;
}

/** Answers with the process id, which tells workers apart. */
export const WHO = `export default { routes: [{ name: "who", matches: [{ path: "/*" }], plugins: [
  { use: (c) => c.text(String(process.pid)) },
] }] };
`;

export const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async function put(folder: string, path: string, text: string): Promise<void> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(join(dirname(file), ".new"), text);
  await rename(join(dirname(file), ".new"), file);
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const texts = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, "utf8").catch(() => "")),
  );
  return texts.flatMap((text) => text.split(" ").filter((word) => word !== "")).map(Number);
}

function sampleSum(text: string, sample: string): number | null {
  const values = text
    .split("\n")
    .filter((line) => line.startsWith(`${sample}{`) || line.startsWith(`${sample} `))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

/** The document of torii.yaml: two workers that drain quickly. */
function document(port: number, statusPort: number, setup: WorkersSetup): Readonly<Record<string, unknown>> {
  return {
    listeners: [{ name: "http", address: "127.0.0.1", port }],
    status: { address: "127.0.0.1", port: statusPort },
    shutdown: { delay: "100ms", timeout: "5s" },
    redis: "redis://127.0.0.1:6379",
    workers: setup.workers ?? 2,
    ...setup.torii,
  };
}

/** Writes a configuration into a folder of its own and starts `torii run` there, ready or not. */
export async function startWorkers(setup: WorkersSetup = {}): Promise<Workers> {
  const folder = await mkdtemp(join(tmpdir(), "torii-workers-"));
  const [port, statusPort] = [closedPort(), closedPort()];
  const base = document(port, statusPort, setup);
  const files = { "routes/main.ts": WHO, ...setup.files, "torii.yaml": JSON.stringify(base) };
  for (const [path, text] of Object.entries(files)) await put(folder, path, text);
  const torii = startTorii(["run", "--config", "torii.yaml"], folder);
  const ask = async () => Number((await exchange({ port }, GET)).body.toString());
  return {
    torii,
    port,
    statusPort,
    folder,
    write: (path, text) => put(folder, path, text),
    configure: (more) => put(folder, "torii.yaml", JSON.stringify({ ...base, ...more })),
    pids: () => childrenOf(torii.pid),
    ask,
    async askMany(count) {
      const seen = new Map<number, number>();
      for (let at = 0; at < count; at++) {
        const pid = await ask();
        seen.set(pid, (seen.get(pid) ?? 0) + 1);
      }
      return seen;
    },
    async metric(sample) {
      return sampleSum(await (await fetch(`http://127.0.0.1:${statusPort}/metrics`)).text(), sample);
    },
    isReady: () =>
      fetch(`http://127.0.0.1:${statusPort}/readyz`).then(
        (response) => response.ok,
        () => false,
      ),
    async [Symbol.asyncDispose]() {
      const children = await childrenOf(torii.pid);
      await torii[Symbol.asyncDispose]();
      await eventually(() => children.every((pid) => !isAlive(pid)), "the workers to end", 10_000);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The same, ready to serve. */
export async function startReady(setup: WorkersSetup = {}): Promise<Workers> {
  const workers = await startWorkers(setup);
  await eventually(workers.isReady, "readiness", 15_000).catch(async (error) => {
    const output = workers.torii.output();
    await workers[Symbol.asyncDispose]();
    throw new Error(`${error}\n${output}`);
  });
  return workers;
}

/** Says whether there is a process of this id that is not only waiting to be collected. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export interface PoliteLoad {
  readonly answered: () => number;
  /** Whatever was not a whole answer with 200, at most a hundred. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** Clients that keep their connections, and leave when they are told to. */
async function keepAsking(port: number, load: Tally): Promise<void> {
  using client = await connect({ port });
  while (!load.isStopped) {
    await client.send(GET);
    const response = await client.response();
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    load.answered++;
    if (header(response, "connection") === "close") return;
  }
}

async function askAnew(port: number, load: Tally): Promise<void> {
  const { status } = await exchange({ port }, GET);
  if (status !== 200) throw new Error(`status ${status}`);
  load.answered++;
}

interface Tally {
  answered: number;
  isStopped: boolean;
  readonly failures: string[];
}

/** Requests on kept connections, and on new ones each, until it is stopped. */
export function startPoliteLoad(port: number, clients: { readonly kept: number; readonly fresh: number }): PoliteLoad {
  const load: Tally = { answered: 0, isStopped: false, failures: [] };
  const run = async (work: typeof askAnew, name: string) => {
    while (!load.isStopped) {
      try {
        await work(port, load);
      } catch (error) {
        if (load.failures.length < 100) load.failures.push(`${name}: ${error}`);
      }
    }
  };
  const running = [
    ...Array.from({ length: clients.kept }, () => run(keepAsking, "kept")),
    ...Array.from({ length: clients.fresh }, () => run(askAnew, "new")),
  ];
  return {
    answered: () => load.answered,
    failures: load.failures,
    async stop() {
      load.isStopped = true;
      await Promise.all(running);
    },
  };
}
