import { OK_BODY } from "./backend.ts";
import { type Bench, makeDirectory, startChild } from "./fleet.ts";
import { get } from "./load.ts";
import { takeFreePorts } from "./machine.ts";
import { bareRoutes, toriiProxy } from "./proxies/torii.ts";
import type { LoadScenario } from "./scenario.ts";

/** More than any load takes: what is measured is the deciding. */
const LIMIT = 10_000_000;

/** One Torii without a limit, one whose plugin does nothing, one that leases, one that asks Redis for each request. */
export function limitScenario(): LoadScenario {
  // Known once the scenario starts, and read when the contestants start after it.
  const redis = { port: 0 };
  const url = () => `redis://127.0.0.1:${redis.port}`;
  const limited = (name: string, use: () => string) =>
    toriiProxy({
      name,
      plugins: "bench/plugins-limits/",
      redis: url,
      routes: (backendPort) => `${bareRoutes(backendPort)}    plugins: [${use()}]\n`,
    });
  return {
    kind: "load",
    name: "rate-limit",
    title: "GET, a limit that one hot key stays below",
    contestants: [
      toriiProxy({ name: "torii", routes: bareRoutes }),
      limited("torii-plugin", () => "{ use: bench-pass, with: {} }"),
      limited("torii-leases", () => `{ use: rate-limit, with: { by: ip, limit: ${LIMIT}, per: 1s, headers: off } }`),
      limited("torii-leases-fields", () => `{ use: rate-limit, with: { by: ip, limit: ${LIMIT}, per: 1s } }`),
      limited(
        "torii-flexible",
        () => `{ use: bench-flexible, with: { redis: "${url()}", limit: ${LIMIT}, perSeconds: 1 } }`,
      ),
    ],
    baseline: "torii",
    load: get("/", 64),
    answerBytes: OK_BODY.length,
    startBackend: async (bench) => {
      redis.port = await startBenchRedis(bench);
      return bench.backendPort;
    },
    tool: { program: "redis-server", install: "apt-get install redis-server" },
  };
}

/** Beside the load: what is measured is the proxy's core. */
async function startBenchRedis(bench: Bench): Promise<number> {
  const directory = await makeDirectory(bench, "redis");
  const [port = 0] = takeFreePorts(1);
  const command = ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory];
  startChild(bench, { command, env: {} }, { directory, core: bench.cores.load });
  return port;
}
