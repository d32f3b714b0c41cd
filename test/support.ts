import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pino from "pino";
import { builtIns } from "../plugins/index.ts";
import { createCatalogs } from "../src/config/plugin-files.ts";
import { createGateway, type Gateway } from "../src/gateway/gateway.ts";
import { createMemoryRegistry, type MemoryRegistry } from "../src/registry/memory.ts";
import { type Address, connect, exchange, type RawClient } from "./support/client.ts";
import type { ResponseMessage } from "./support/message.ts";

/** Configuration as an object, or as the text of the file. */
export type Document = Readonly<Record<string, unknown>> | string;

export interface GatewaySetup {
  /** Merged over one listener `http` on a free port, a free status port, an access log in a file, no drain delay. */
  readonly torii?: Document;
  /** Becomes `routes/main.yaml`. */
  readonly routes?: Document;
  /** Further files, by path within the folder. */
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** One line of the access log. */
export type AccessLine = Readonly<Record<string, unknown>>;

/** A gateway that runs in this process from a folder of its own. */
export interface TestGateway extends AsyncDisposable, Address {
  readonly port: number;
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly folder: string;
  readonly gateway: Gateway;
  /** Where services of `discover: memory` find their endpoints. */
  readonly registry: MemoryRegistry;
  /** What the gateway said in its log, parsed. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  connect(): Promise<RawClient>;
  /** One request on a connection of its own. */
  exchange(request: string, method?: string): Promise<ResponseMessage>;
  /** Replaces a file of the folder in one step, as an editor does. */
  write(path: string, text: string): Promise<void>;
  /** Waits until the access log has a line that fits, and returns it. */
  logged(fits: (line: AccessLine) => boolean): Promise<AccessLine>;
}

const ACCESS_LOG = "access.log";

const BASE = {
  listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
  status: { address: "127.0.0.1", port: 0 },
  shutdown: { delay: "0s", timeout: "1s" },
} as const;

// JSON is YAML: one writer serves both.
function textOf(document: Document): string {
  return typeof document === "string" ? document : JSON.stringify(document, null, 2);
}

async function writeFolder(setup: GatewaySetup): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "torii-test-"));
  const torii =
    typeof setup.torii === "string"
      ? setup.torii
      : { ...BASE, telemetry: { accessLog: { path: join(folder, ACCESS_LOG) } }, ...setup.torii };
  const files = {
    "torii.yaml": textOf(torii),
    ...(setup.routes === undefined ? {} : { "routes/main.yaml": textOf(setup.routes) }),
    ...setup.files,
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await Bun.$`mv ${path}.new ${path}`.quiet();
}

async function findLine(path: string, fits: (line: AccessLine) => boolean): Promise<AccessLine> {
  const deadlineAt = performance.now() + 4000;
  for (;;) {
    const text = await readFile(path, "utf8").catch(() => "");
    // The last piece is a line that is still being written, or nothing.
    const lines = text
      .split("\n")
      .slice(0, -1)
      .map((line): AccessLine => JSON.parse(line));
    const found = lines.find(fits);
    if (found !== undefined) return found;
    if (performance.now() > deadlineAt) throw new Error(`no such line in the access log:\n${text.slice(-2000)}`);
    await Bun.sleep(10);
  }
}

/** Writes a configuration into a folder of its own and runs a gateway from it, in this process. */
export async function startGateway(setup: GatewaySetup): Promise<TestGateway> {
  const folder = await writeFolder(setup);
  const log: Readonly<Record<string, unknown>>[] = [];
  const registry = createMemoryRegistry();
  const gateway = await createGateway({
    configPath: join(folder, "torii.yaml"),
    env: setup.env ?? {},
    cwd: folder,
    version: "test",
    log: pino({ level: "debug" }, { write: (line) => void log.push(JSON.parse(line)) }),
    openCatalog: createCatalogs(builtIns),
    registry,
  });
  const first = [...gateway.addresses.values()][0];
  if (first === undefined) throw new Error("the gateway has no listener");
  const address: Address = { address: "127.0.0.1", port: first.port };
  return {
    port: first.port,
    url: `http://127.0.0.1:${first.port}`,
    folder,
    gateway,
    registry,
    log,
    connect: () => connect(address),
    exchange: (request, method) => exchange(address, request, method),
    write: (path, text) => replaceFile(join(folder, path), text),
    logged: (fits) => findLine(join(folder, ACCESS_LOG), fits),
    async [Symbol.asyncDispose]() {
      await gateway.close();
      registry.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface ProxySetup {
  /** Merged over the service's `discover` and `endpoints`. */
  readonly service?: Readonly<Record<string, unknown>>;
  /** Merged over the route's `name`, `matches` and `backends`. */
  readonly route?: Readonly<Record<string, unknown>>;
  readonly torii?: Readonly<Record<string, unknown>>;
}

/** Routes that send every request to one service with one endpoint. */
export function catchAll(url: string, setup: ProxySetup = {}): Readonly<Record<string, unknown>> {
  return {
    services: { upstream: { discover: "static", endpoints: [{ url }], ...setup.service } },
    routes: [{ name: "all", matches: [{ path: "/*" }], backends: [{ service: "upstream" }], ...setup.route }],
  };
}

/** A gateway that sends every request to one address. */
export function startProxy(url: string, setup: ProxySetup = {}): Promise<TestGateway> {
  return startGateway({ routes: catchAll(url, setup), ...(setup.torii === undefined ? {} : { torii: setup.torii }) });
}
