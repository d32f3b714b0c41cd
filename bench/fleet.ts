import { mkdir } from "node:fs/promises";
import { type Cores, takeFreePorts } from "./machine.ts";
import type { BenchOptions } from "./options.ts";
import type { Child, Children } from "./process.ts";
import type { Launch, ProxySpec } from "./proxies/proxy.ts";

/** What every scenario works with. */
export interface Bench {
  readonly options: BenchOptions;
  readonly children: Children;
  readonly cores: Cores;
  /** Temporary; removed at the end. */
  readonly directory: string;
  readonly backendPort: number;
}

/** A proxy that runs and answers. */
export interface Contestant {
  readonly name: string;
  readonly port: number;
  readonly child: Child;
  readonly directory: string;
}

export interface Fleet {
  readonly contestants: readonly Contestant[];
  /** One text for each proxy that did not start. */
  readonly faults: readonly string[];
}

// Ten thousand routes are a large file to read.
const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 25;

let started = 0;

/** Starts all of them; they compete for one core, so none may be busy when the measuring begins. */
export async function startFleet(bench: Bench, proxies: readonly ProxySpec[]): Promise<Fleet> {
  const contestants: Contestant[] = [];
  const faults: string[] = [];
  for (const proxy of proxies) {
    try {
      contestants.push(await startProxy(bench, proxy));
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { contestants, faults };
}

export async function stopFleet(bench: Bench, fleet: Fleet): Promise<void> {
  await Promise.all(fleet.contestants.map((contestant) => bench.children.stop(contestant.child)));
}

/** Starts one and waits until it answers 200; throws with the end of its log when it does not. */
export async function startProxy(bench: Bench, proxy: ProxySpec): Promise<Contestant> {
  const directory = await makeDirectory(bench, proxy.name);
  const [port = 0] = takeFreePorts(1);
  const accessLogFile = bench.options.hasAccessLog ? `${directory}/access.log` : null;
  const launch = await proxy.prepare({ directory, port, backendPort: bench.backendPort, accessLogFile });
  const child = startChild(bench, launch, { directory, core: bench.cores.proxy });
  await waitUntilReady(proxy.name, { port, scheme: proxy.scheme ?? "http" }, child);
  return { name: proxy.name, port, child, directory };
}

/** A new directory in the benchmark's own. */
export async function makeDirectory(bench: Pick<Bench, "directory">, name: string): Promise<string> {
  started += 1;
  const directory = `${bench.directory}/${started}-${name}`;
  await mkdir(directory);
  return directory;
}

interface Place {
  readonly directory: string;
  readonly core: number;
}

/** Starts a program with its output in `output.log` of its directory. */
export function startChild(bench: Pick<Bench, "children">, launch: Launch, place: Place): Child {
  return bench.children.start({ ...launch, ...place, logFile: `${place.directory}/output.log` });
}

/** Where a program is to answer. */
export interface Answering {
  readonly port: number;
  readonly scheme?: "http" | "https";
  /** It does not understand HTTP/1.1: that it accepts is enough. */
  readonly isHttp2Only?: boolean;
}

/** Polls with GET until 200 comes; throws when the process ends first or after a minute. */
export async function waitUntilReady(name: string, place: Answering, child: Child): Promise<void> {
  const deadlineAt = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadlineAt) {
    if (!child.isRunning()) throw new Error(`${name} ended at its start:\n${await logTail(child)}`);
    if ((await statusOf(place)) === 200) return;
    await Bun.sleep(READY_POLL_MS);
  }
  throw new Error(`${name} did not answer 200 within a minute:\n${await logTail(child)}`);
}

/** A path that every configuration here forwards, also those whose routes cover only `/api/`. */
const READY_PATH = "/api/r0/items";

async function statusOf({ port, scheme = "http", isHttp2Only = false }: Answering): Promise<number | null> {
  try {
    if (isHttp2Only) {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => undefined } });
      socket.end();
      return 200;
    }
    const tls = { rejectUnauthorized: false };
    const url = `${scheme}://127.0.0.1:${port}${READY_PATH}`;
    return (await fetch(url, { signal: AbortSignal.timeout(1000), tls })).status;
  } catch {
    // Not listening yet.
    return null;
  }
}

async function logTail(child: Child): Promise<string> {
  return (await Bun.file(child.logFile).text()).trim().slice(-1500);
}
