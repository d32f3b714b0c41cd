import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { eventually } from "../test/support/load.ts";
import { startTorii, type ToriiProcess } from "../test/support/process.ts";
import { closedPort } from "../test/support/unreachable.ts";

/** A gateway in a process of its own, so that its memory is its own. */
export interface SoakGateway extends AsyncDisposable {
  readonly port: number;
  /** Holds `torii.yaml` and all that it names. */
  readonly folder: string;
  readonly statusPort: number;
  readonly process: ToriiProcess;
  /** Resident memory now. */
  rssBytes(): Promise<number>;
  /** Replaces the route file in one step. */
  writeRoutes(routes: unknown): Promise<void>;
}

async function writeRoutes(folder: string, routes: unknown): Promise<void> {
  const path = join(folder, "routes/main.yaml");
  await writeFile(`${path}.new`, typeof routes === "string" ? routes : JSON.stringify(routes));
  await rename(`${path}.new`, path);
}

/** Resident memory of a process, from /proc. */
export async function rssBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) * 1024;
}

export interface SoakExtras {
  /** Further files, by path within the folder. */
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a gateway over these routes; resolves when it is ready. `more` is merged over `torii.yaml`. */
export async function startSoakGateway(
  routes: unknown,
  more: Readonly<Record<string, unknown>> = {},
  { files = {}, env = {} }: SoakExtras = {},
): Promise<SoakGateway> {
  const folder = await mkdtemp(join(tmpdir(), "torii-soak-"));
  const [port, statusPort] = [closedPort(), closedPort()];
  const torii = {
    listeners: [{ name: "http", address: "127.0.0.1", port }],
    status: { address: "127.0.0.1", port: statusPort },
    telemetry: { accessLog: { enabled: false } },
    shutdown: { delay: "0s", timeout: "1s" },
    ...more,
  };
  await mkdir(join(folder, "routes"));
  await writeFile(join(folder, "torii.yaml"), JSON.stringify(torii));
  await writeRoutes(folder, routes);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const process = startTorii(["run", "--config", "torii.yaml"], folder, { NODE_ENV: "production", ...env });
  const isReady = () =>
    fetch(`http://127.0.0.1:${statusPort}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await eventually(isReady, "readiness", 15_000).catch((error) => {
    throw new Error(`${error}\n${process.output()}`);
  });
  return {
    port,
    folder,
    statusPort,
    process,
    rssBytes: () => rssBytes(process.pid),
    writeRoutes: (changed) => writeRoutes(folder, changed),
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Watches the highest resident memory until it is stopped. */
export function watchPeak(gateway: SoakGateway): { stop(): Promise<number> } {
  let peak = 0;
  let isStopped = false;
  const watching = (async () => {
    while (!isStopped) {
      peak = Math.max(peak, await gateway.rssBytes());
      await Bun.sleep(20);
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await watching;
      return peak;
    },
  };
}
