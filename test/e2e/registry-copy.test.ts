import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startReady, type Workers } from "../supervisor/support.ts";
import { exchange } from "../support/client.ts";
import { eventually, startLoad } from "../support/load.ts";
import { joinShop } from "../support/mesh.ts";
import { startOrigin } from "../support/origin.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(90_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CHECKS = { interval: "200ms", timeout: "150ms", unhealthyAfter: 1, healthyAfter: 1, path: "/" };

function routes(service: object): Readonly<Record<string, unknown>> {
  return { services: { shop: service }, routes: [{ name: "shop", backends: [{ service: "shop" }] }] };
}

function startWith(redis: RedisProcess, state: string | null | undefined, service: object = {}): Promise<TestGateway> {
  const torii = {
    redis: redis.url,
    telemetry: { accessLog: { enabled: false } },
    ...(state === undefined ? {} : { state }),
  };
  return startGateway({ torii, routes: routes(service) });
}

function idsOf({ gateway }: TestGateway): readonly string[] {
  return gateway.services.list().flatMap(({ endpoints }) => endpoints.map(({ id }) => id));
}

function copyIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

/** A folder with a copy of a registry that had one endpoint. */
async function learn(redis: RedisProcess, port: number, state: string): Promise<void> {
  await joinShop(redis, "one", port);
  await using gateway = await startWith(redis, state);
  await eventually(() => idsOf(gateway).length === 1, "the endpoint");
  await gateway.gateway.drain();
  expect(await copyIn(state)).toHaveLength(1);
}

function temporary(redis: RedisProcess) {
  const path = join("/tmp", `torii-state-${redis.port}`);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

describe("a gateway that starts while Redis is away", () => {
  test("serves from the last good copy, says so, and takes what Redis says when it is back", async () => {
    await using redis = await startRedis();
    await using state = temporary(redis);
    await using origin = startOrigin();
    await using other = startOrigin();
    await learn(redis, origin.port, state.path);
    await redis.kill();
    await using gateway = await startWith(redis, state.path, { healthCheck: CHECKS });
    expect((await gateway.exchange(GET)).status).toBe(200);
    const said = gateway.log.filter(({ msg }) => String(msg).includes("endpoints come from the last good copy"));
    expect(said).toHaveLength(1);
    const isRecalled = () => gateway.gateway.services.list().map((service) => service.view().registry.isRecalled);
    expect(isRecalled()).toEqual([true]);
    const metrics = await gateway.gateway.metrics.render();
    expect(metrics).toContain('torii_registry_copy_services{registry="redis"} 1\n');
    expect(Number(/torii_registry_copy_age_seconds\{registry="redis"\} (\S+)/.exec(metrics)?.[1])).toBeLessThan(60);
    await redis.restart();
    await joinShop(redis, "two", other.port);
    await eventually(() => idsOf(gateway).includes("two"), "the endpoint that Redis has", 15_000);
    expect(isRecalled()).toEqual([false]);
    const later = await gateway.gateway.metrics.render();
    expect(later).toContain('torii_registry_copy_services{registry="redis"} 0\n');
    expect(later).not.toMatch(/^torii_registry_copy_age_seconds\{/m);
    // It answers its checks, so that the empty Redis is not believed about it.
    expect(idsOf(gateway)).toEqual(["one", "two"]);
    await origin[Symbol.asyncDispose]();
    await eventually(() => Bun.deepEquals(idsOf(gateway), ["two"]), "the one that fails to go", 10_000);
    expect((await gateway.exchange(GET)).status).toBe(200);
  });

  test("drops what Redis does not have when it is back, after the grace", async () => {
    await using redis = await startRedis();
    await using state = temporary(redis);
    await using origin = startOrigin();
    await learn(redis, origin.port, state.path);
    await redis.kill();
    await using gateway = await startWith(redis, state.path);
    await redis.restart();
    await eventually(() => gateway.log.some(({ msg }) => msg === "registry is back"), "the return", 15_000);
    expect(idsOf(gateway)).toEqual(["one"]);
    await eventually(() => idsOf(gateway).length === 0, "the grace to end", 25_000);
  });

  test.each([
    ["one process", 1],
    ["two workers", 2],
  ])("does so as %s", async (_, workers) => {
    await using redis = await startRedis();
    await using state = temporary(redis);
    await using origin = startOrigin();
    await using other = startOrigin();
    await joinShop(redis, "one", origin.port);
    const setup = {
      workers,
      torii: { redis: redis.url, state: state.path, telemetry: { accessLog: { enabled: false } } },
      files: { "routes/main.yaml": JSON.stringify(routes({})), "routes/main.ts": "export default { routes: [] };" },
    };
    const first = await startReady(setup);
    await eventually(async () => (await statusOf(first)) === 200, "the endpoint");
    first.torii.signal("SIGTERM");
    expect(await first.torii.exited).toBe(0);
    await first[Symbol.asyncDispose]();
    expect(await copyIn(state.path)).toHaveLength(1);
    await redis.kill();
    await using next = await startReady(setup);
    const load = startLoad({ to: { port: next.port }, connections: 8, request: GET });
    await eventually(() => load.answered() > 200, "some load");
    expect(await next.metric("torii_registry_copy_services")).toBe(1);
    await redis.restart();
    await joinShop(redis, "two", other.port);
    const isBack = async () => (await next.metric("torii_registry_copy_services")) === 0;
    await eventually(isBack, "Redis to be read", 15_000);
    await eventually(() => other.requests.length > 10, "the other endpoint to be used", 10_000);
    expect((await load.stop()).failures).toEqual([]);
  });

  test("keeps its copy from a Redis that was emptied while it was away itself", async () => {
    await using redis = await startRedis();
    await using state = temporary(redis);
    await using origin = startOrigin();
    await learn(redis, origin.port, state.path);
    await redis.restart();
    await using gateway = await startWith(redis, state.path);
    expect((await gateway.exchange(GET)).status).toBe(200);
    await using nobody = await startWith(redis, null);
    expect((await nobody.exchange(GET)).status).toBe(503);
  });

  test("believes a Redis that is there, whatever the copy says", async () => {
    await using redis = await startRedis();
    await using state = temporary(redis);
    await using origin = startOrigin();
    await learn(redis, origin.port, state.path);
    await redis.cli("DEL", "torii:mesh:{shop}:leases", "torii:mesh:{shop}:endpoints");
    await using gateway = await startWith(redis, state.path);
    expect((await gateway.exchange(GET)).status).toBe(503);
  });

  test("starts without a damaged copy, with one warning", async () => {
    await using redis = await startRedis();
    await using state = temporary(redis);
    await using origin = startOrigin();
    await learn(redis, origin.port, state.path);
    await redis.kill();
    const file = join(state.path, (await copyIn(state.path))[0] ?? "");
    await writeFile(file, (await readFile(file, "utf8")).replace("127.0.0.1", "127.0.0.9"));
    await using gateway = await startWith(redis, state.path);
    expect((await gateway.exchange(GET)).status).toBe(503);
    expect(gateway.log.filter(({ msg }) => msg === "last good copy of the registry is not used")).toHaveLength(1);
  });
});

test("a folder that cannot be written keeps nobody from being served, and is said once", async () => {
  await using redis = await startRedis();
  await using origin = startOrigin();
  await joinShop(redis, "one", origin.port);
  await using gateway = await startWith(redis, "torii.yaml/state");
  const said = () => gateway.log.filter(({ msg }) => String(msg).includes("cannot be written: serving goes on"));
  await eventually(() => said().length > 0, "the warning");
  await joinShop(redis, "two", origin.port + 1, { fields: { weight: 0 } });
  const failures = 'torii_registry_copy_saves_total{registry="redis",result="failure"} 2';
  const isTriedAgain = async () => (await gateway.gateway.metrics.render()).includes(failures);
  await eventually(isTriedAgain, "another attempt");
  expect(said()).toHaveLength(1);
  expect((await gateway.exchange(GET)).status).toBe(200);
});

test("a reload that names another folder moves the copy there, and one that names none keeps none", async () => {
  await using redis = await startRedis();
  await using origin = startOrigin();
  await joinShop(redis, "one", origin.port);
  await using gateway = await startWith(redis, null);
  await eventually(() => idsOf(gateway).length === 1, "the endpoint");
  const torii = JSON.parse(await readFile(join(gateway.folder, "torii.yaml"), "utf8"));
  await gateway.write("torii.yaml", JSON.stringify({ ...torii, state: "kept" }));
  const isThere = async () => (await copyIn(join(gateway.folder, "kept"))).length === 1;
  await eventually(isThere, "the copy");
  await rm(join(gateway.folder, "kept"), { recursive: true });
  await gateway.write("torii.yaml", JSON.stringify({ ...torii, state: null }));
  await eventually(() => gateway.gateway.snapshot()?.version === "3", "the reload", 15_000);
  await joinShop(redis, "two", origin.port + 1, { fields: { weight: 0 } });
  await eventually(() => idsOf(gateway).length === 2, "a change");
  await gateway.gateway.drain();
  expect(await isThere()).toBe(false);
});

test("a worker that takes the place of a killed one while Redis is away serves from the copy", async () => {
  await using redis = await startRedis();
  await using state = temporary(redis);
  await using origin = startOrigin();
  await joinShop(redis, "one", origin.port);
  await using workers = await startReady({
    torii: { redis: redis.url, state: state.path, telemetry: { accessLog: { enabled: false } } },
    files: { "routes/main.yaml": JSON.stringify(routes({})), "routes/main.ts": "export default { routes: [] };" },
  });
  await eventually(async () => (await copyIn(state.path)).length === 1, "the copy");
  await redis.kill();
  const [killed = 0] = await workers.pids();
  process.kill(killed, "SIGKILL");
  const isReplaced = async () => (await workers.metric("torii_registry_copy_services")) === 1;
  await eventually(isReplaced, "another worker", 20_000);
  const statuses = new Set<number>();
  for (let count = 0; count < 40; count++) statuses.add(await statusOf(workers));
  expect([...statuses]).toEqual([200]);
});

test("a reload to another password keeps the endpoints while Redis is away", async () => {
  await using redis = await startRedis();
  await using origin = startOrigin();
  await joinShop(redis, "one", origin.port);
  await using gateway = await startWith(redis, null);
  await eventually(() => idsOf(gateway).length === 1, "the endpoint");
  await redis.kill();
  const torii = JSON.parse(await readFile(join(gateway.folder, "torii.yaml"), "utf8"));
  const next = { ...torii, redis: redis.url.replace("//", "//:other-password@") };
  await gateway.write("torii.yaml", JSON.stringify(next));
  await eventually(() => gateway.gateway.snapshot()?.version === "2", "the reload", 15_000);
  expect((await gateway.exchange(GET)).status).toBe(200);
});

async function statusOf({ port }: Workers): Promise<number> {
  return (await exchange({ port }, GET)).status;
}
