import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { builtIns } from "../../plugins/index.ts";
import { createCatalogs } from "../../src/config/plugin-files.ts";
import { loadConfig } from "../../src/config/source.ts";
import type { SupervisorOptions } from "../../src/supervisor/parts.ts";
import { closedPort } from "../support/unreachable.ts";
import { WHO } from "./support.ts";

/** What a supervisor in the process of the test is made with. */
export interface Setup extends AsyncDisposable {
  readonly options: SupervisorOptions;
  readonly port: number;
  readonly statusPort: number;
  readonly log: readonly string[];
}

/** A configuration for two workers, read, and what a supervisor in this process needs. */
export async function readSetup(): Promise<Setup> {
  const cwd = await mkdtemp(join(tmpdir(), "torii-supervisor-"));
  const [port, statusPort] = [closedPort(), closedPort()];
  await mkdir(join(cwd, "routes"));
  await writeFile(join(cwd, "routes/main.ts"), WHO);
  const document = {
    listeners: [{ name: "http", address: "127.0.0.1", port }],
    status: { address: "127.0.0.1", port: statusPort },
    shutdown: { delay: "0s", timeout: "5s" },
    telemetry: { accessLog: { enabled: false } },
    redis: "redis://127.0.0.1:6379",
    workers: 2,
  };
  await writeFile(join(cwd, "torii.yaml"), JSON.stringify(document));
  const lines: string[] = [];
  const openCatalog = createCatalogs(builtIns);
  const base = { env: process.env, cwd, openCatalog };
  const loaded = await loadConfig({ path: null, ...base });
  const log = pino({}, { write: (line) => void lines.push(line) });
  const command = [process.execPath, join(import.meta.dir, "../../src/main.ts"), "worker"];
  const options = { ...base, configPath: null, version: "test", log, loaded, command };
  const remove = () => rm(cwd, { recursive: true, force: true });
  return { options, port, statusPort, log: lines, [Symbol.asyncDispose]: remove };
}
