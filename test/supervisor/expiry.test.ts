import { afterEach, expect, spyOn, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { builtIns } from "../../plugins/index.ts";
import { createCatalogs } from "../../src/config/plugin-files.ts";
import { loadConfig } from "../../src/config/source.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import { createMemoryRegistry } from "../../src/registry/memory.ts";
import { openShared } from "../../src/supervisor/listening-socket.ts";
import { createParts } from "../../src/supervisor/parts.ts";
import { authority } from "../support/certificates.ts";

const DAY_MS = 86_400_000;
const timers = spyOn(globalThis, "setInterval");

afterEach(() => void timers.mockClear());

/** Does what is done daily, once. */
function passDay(): void {
  for (const [run, ms] of timers.mock.calls) if (ms === DAY_MS && typeof run === "function") run();
}

test("a certificate that is to be renewed is told of daily by the supervisor, and by no worker", async () => {
  const { certPath: cert, keyPath: key } = authority().issue({ names: ["soon.test"], days: 3 });
  const cwd = await mkdtemp(join(tmpdir(), "torii-expiry-"));
  await mkdir(join(cwd, "routes"));
  const tls = { certificates: [{ cert, key }] };
  const torii = { listeners: [{ name: "https", address: "127.0.0.1", port: 0, tls }], workers: 2, redis: "redis://a" };
  await writeFile(join(cwd, "torii.yaml"), JSON.stringify(torii));
  const said: string[] = [];
  const log = pino({}, { write: (line) => void said.push(line) });
  const base = { configPath: null, env: {}, cwd, version: "test", openCatalog: createCatalogs(builtIns), log };
  const registry = createMemoryRegistry();
  const supervised = {
    socketFor: () => openShared("127.0.0.1", 0),
    readCertificate: () => Promise.resolve(null),
    seat: 1,
  };
  const worker = await createGateway({ ...base, registry, supervised });
  const loaded = await loadConfig({ path: null, ...base });
  const supervisor = createParts({ ...base, loaded, command: [] });
  passDay();
  expect(said.filter((line) => line.includes("certificate to be renewed"))).toHaveLength(1);
  supervisor.certificates.close();
  await supervisor.output.close();
  await worker.close();
  registry.close();
  await rm(cwd, { recursive: true });
});
