import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ServicesView, serviceDetail, servicesView, statusView } from "../../src/admin/schemas.ts";
import { bearer, EDITOR, VIEWER } from "../admin/support.ts";
import { startReady, type Workers } from "../supervisor/support.ts";
import { exchange } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { startTorii } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { closedPort } from "../support/unreachable.ts";

setDefaultTimeout(60_000);

const ENDPOINT = `const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
console.log(server.port);`;

/** An endpoint that is a process of its own. */
async function startEndpoint() {
  const child = Bun.spawn([process.execPath, "-e", ENDPOINT], { stdout: "pipe", stderr: "ignore" });
  const { value } = await child.stdout.getReader().read();
  const url = `http://127.0.0.1:${Buffer.from(value ?? [])
    .toString()
    .trim()}`;
  return {
    url,
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

interface Setup {
  readonly workers: number;
  readonly redis?: string;
  readonly services: Readonly<Record<string, unknown>>;
}

interface Administered extends Workers {
  readonly adminPort: number;
}

/** A gateway with a route `/NAME/*` to each service. */
async function start({ workers, services, redis }: Setup): Promise<Administered> {
  const adminPort = closedPort();
  const routes = Object.keys(services).map((service) => ({
    name: service,
    matches: [{ path: `/${service}/*` }],
    backends: [{ service }],
  }));
  const running = await startReady({
    workers,
    torii: {
      ...(redis === undefined ? {} : { redis }),
      zone: "z1",
      admin: {
        port: adminPort,
        tokens: [
          { name: "eye", token: VIEWER, role: "viewer" },
          { name: "ops", token: EDITOR, role: "editor" },
        ],
      },
    },
    files: { "routes/main.ts": `export default ${JSON.stringify({ services, routes })};` },
  });
  return Object.assign(running, { adminPort });
}

/** What `torii` says when it is run beside the gateway's files. */
async function torii({ folder }: Workers, ...args: readonly string[]): Promise<string> {
  await using asked = startTorii(args, folder);
  expect([await asked.exited, asked.output()]).toEqual([0, expect.any(String)]);
  return asked.stdout();
}

async function get({ port }: Workers, path: string): Promise<number> {
  const { status } = await exchange({ port }, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  return status;
}

async function list({ adminPort }: Administered): Promise<ServicesView> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/v1/services`, { headers: bearer(VIEWER) });
  return servicesView.parse(await response.json());
}

describe.each([1, 2])("a gateway of %i processes", (workers) => {
  const all = workers === 1 ? [1] : [1, 2];

  test("shows an endpoint that was killed as unhealthy, and why", async () => {
    await using well = await startEndpoint();
    await using killed = await startEndpoint();
    const healthCheck = { path: "/", interval: "100ms", timeout: "500ms", healthyAfter: 1, unhealthyAfter: 1 };
    const endpoints = [
      { id: "well", url: well.url },
      { id: "killed", url: killed.url },
    ];
    await using running = await start({ workers, services: { shop: { discover: "static", endpoints, healthCheck } } });
    const passing = async () => (await list(running)).services[0]?.endpoints.map(({ health }) => health?.passing);
    await eventually(async () => Bun.deepEquals(await passing(), [workers, workers]), "both to be healthy");
    expect(await torii(running, "services")).toMatch(/^shop +static +least_request +2 +2 +0 +0 +0 +-$/m);
    await killed.kill();
    await eventually(async () => Bun.deepEquals(await passing(), [workers, 0]), "one to be unhealthy");
    expect(await torii(running, "services")).toMatch(/^shop +static +least_request +2 +1 +1 +0 +0 +-$/m);
    const shown = await torii(running, "services", "shop");
    expect(shown).toMatch(/^well .* passing +used$/m);
    expect(shown).toMatch(/^killed .* failing +not used; unhealthy \(upstream_connect: .*ECONNREFUSED.*\)$/m);
    const { answered, missing, service } = serviceDetail.parse(
      JSON.parse(await torii(running, "services", "shop", "--json")),
    );
    expect([answered, missing]).toEqual([all, []]);
    expect(service.endpoints[1]).toMatchObject({ absences: [{ reason: "unhealthy", workers }] });
  });

  test("shows an endpoint that was ejected, until when, and in which workers", async () => {
    await using well = await startEndpoint();
    await using killed = await startEndpoint();
    const endpoints = [
      { id: "well", url: well.url },
      { id: "killed", url: killed.url },
    ];
    const outlierDetection = { consecutiveFailures: 1, ejectFor: "60s", maxEjected: "50%" };
    await using running = await start({
      workers,
      services: { shop: { discover: "static", endpoints, outlierDetection } },
    });
    await killed.kill();
    await eventually(async () => (await get(running, "/shop/x")) === 502, "the first failure");
    const first = serviceDetail.parse(JSON.parse(await torii(running, "services", "shop", "--json")));
    expect(first.service.endpoints[1]?.absences).toMatchObject([{ reason: "ejected", times: 1, workers: 1 }]);
    const left = Date.parse(first.service.endpoints[1]?.absences[0]?.until ?? "") - Date.now();
    expect(left).toBeGreaterThan(20_000);
    expect(left).toBeLessThan(60_000);
    // Each worker judges by what it saw.
    const states = first.workers.map(({ service }) => service.endpoints[1]?.absences.length);
    expect(states.toSorted()).toEqual(workers === 1 ? [1] : [0, 1]);
    const where = workers === 1 ? "" : ", in 1 of 2 workers";
    const line = new RegExp(`^killed .* used; ejected \\(until \\S+Z${where}, consecutive_failures\\)$`, "m");
    expect(await torii(running, "services", "shop")).toMatch(line);
    expect(await torii(running, "services", "shop")).toContain("ejections 1, ");
  });

  test("shows a breaker that opened, and for what", async () => {
    const endpoints = [{ id: "gone", url: `http://127.0.0.1:${closedPort()}` }];
    const circuitBreaker = { minRequests: 2, openFor: "60s" };
    await using running = await start({
      workers,
      services: { shop: { discover: "static", endpoints, circuitBreaker } },
    });
    const open = async () => (await list(running)).services[0]?.breaker?.open;
    await eventually(
      async () => {
        await get(running, "/shop/x");
        return (await open()) === workers;
      },
      "every breaker to open",
      20_000,
    );
    expect(await torii(running, "services")).toMatch(/^shop .* open$/m);
    const shown = await torii(running, "services", "shop");
    expect(shown).toMatch(/^breaker open.*, until \S+Z; opened for \d+ failures of \d+$/m);
    expect(shown).toContain(workers === 1 ? "breaker opened 1 time," : `breaker opened ${workers} times,`);
  });

  test("says that Redis is away, and still knows the endpoints", async () => {
    await using redis = await startRedis();
    const [seconds = ""] = (await redis.cli("TIME")).split("\n");
    await redis.cli("SADD", "torii:mesh:services", "shop");
    await redis.cli(
      "HSET",
      "torii:mesh:{shop}:endpoints",
      "a",
      JSON.stringify({ url: "http://127.0.0.1:1", zone: "z1" }),
    );
    await redis.cli("ZADD", "torii:mesh:{shop}:leases", `${Number(seconds) + 600}000`, "a");
    await using running = await start({ workers, services: { shop: { discover: "redis" } }, redis: redis.url });
    const registries = async () => {
      const { store, registries } = statusView.parse(JSON.parse(await torii(running, "status", "--json")));
      return [store, ...registries];
    };
    const up = [
      { kind: "redis", state: "ready" },
      { source: "redis", isUp: true, recalled: 0 },
    ];
    await eventually(async () => Bun.deepEquals(await registries(), up), "Redis to be there", 15_000);
    await redis.kill();
    const away = [
      { kind: "redis", state: "away" },
      { source: "redis", isUp: false, recalled: 0 },
    ];
    await eventually(async () => Bun.deepEquals(await registries(), away), "Redis to be away", 15_000);
    expect(await torii(running, "status")).toContain("store redis: away\nregistry redis: away\n");
    expect(await torii(running, "services", "shop")).toMatch(/^a +http:\/\/127.0.0.1:1 +1 +z1 .* used$/m);
  });

  test("tells its status and its routes", async () => {
    await using running = await start({ workers, services: { shop: { discover: "static", endpoints: [] } } });
    const status = statusView.parse(JSON.parse(await torii(running, "status", "--json")));
    expect(status).toMatchObject({
      ...{ zone: "z1", isReady: true, reasons: [], config: { version: "1", routes: 1, services: 1 } },
      listeners: [{ name: "http", port: running.port }],
      workers: all.map((worker) => ({ worker, state: "serving" })),
    });
    if (workers > 1) expect(status.workers.map(({ pid }) => pid).toSorted()).toEqual((await running.pids()).toSorted());
    expect(await torii(running, "status")).toMatch(/^version .*, in zone z1$/m);
    expect(await torii(running, "routes")).toMatch(/^shop +\* +\* +\/shop\/\* +- +shop$/m);
    await running.configure({
      admin: { port: running.adminPort, tokens: [{ name: "x", token: EDITOR, role: "viewer" }] },
    });
    const asked = async (token: string) =>
      (await fetch(`http://127.0.0.1:${running.adminPort}/v1/status`, { headers: bearer(token) }).catch(() => null))
        ?.status;
    await eventually(async () => (await asked(VIEWER)) === 401, "the token to be of no use");
    expect(await asked(EDITOR)).toBe(200);
    const next = statusView.parse(JSON.parse(await torii(running, "status", "--json")));
    expect(next.config).toMatchObject({ version: "2" });
  });
});

describe("a worker that cannot answer", () => {
  const services = { shop: { discover: "static", endpoints: [{ id: "a", url: "http://127.0.0.1:1" }] } };

  test("is told to be missing, and the others' answers are given", async () => {
    await using running = await start({ workers: 2, services });
    const [first = 0] = (await running.pids()).toSorted();
    const { workers } = statusView.parse(JSON.parse(await torii(running, "status", "--json")));
    const number = workers.find(({ pid }) => pid === first)?.worker ?? 0;
    process.kill(first, "SIGSTOP");
    try {
      expect(await list(running)).toMatchObject({ services: [{ name: "shop" }], missing: [number] });
      expect(await torii(running, "services")).toContain(`without worker ${number}, which did not answer`);
      const status = async () => statusView.parse(JSON.parse(await torii(running, "status", "--json"))).workers;
      await eventually(async () => (await status()).some(({ state }) => state === "silent"), "it to be silent", 15_000);
    } finally {
      process.kill(first, "SIGCONT");
    }
  });

  test("when it is dead does not keep the admin API from answering", async () => {
    await using running = await start({ workers: 2, services });
    for (const pid of await running.pids()) process.kill(pid, "SIGKILL");
    for (const path of ["status", "routes", "services"]) {
      const response = await fetch(`http://127.0.0.1:${running.adminPort}/v1/${path}`, { headers: bearer(VIEWER) });
      expect([path, response.status]).toEqual([path, 200]);
    }
    await eventually(async () => (await list(running)).answered.length === 2, "workers to be there again", 20_000);
  });
});
