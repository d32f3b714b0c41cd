import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually, startLoad } from "../support/load.ts";
import { checkTypes, firstBlock, type ServiceProcess, serviceFolder, startService } from "../support/mesh-package.ts";
import { freePort, type RedisProcess, startRedis } from "../support/redis.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const RUNTIMES = [
  ["Node.js", "node"],
  ["Bun", process.execPath],
] as const;

const EXAMPLE = await firstBlock("packages/mesh/README.md", "ts");

/** Joins, says so, and goes on as `AFTER` says. */
const ENDING = `
import { joinMesh } from "@torii/mesh";
const member = joinMesh({
  redis: process.env.REDIS_URL, service: "shop", url: "http://127.0.0.1:9001", leaveOnExit: true, graceMs: 0,
});
await member.joined;
if (process.env.AFTER === "stay") setInterval(() => {}, 1000);
if (process.env.AFTER === "listen") {
  setInterval(() => {}, 1000);
  process.once("SIGTERM", () => setTimeout(() => {
    console.log("ended by itself", member.state);
    process.exit(7);
  }, 300));
}
console.log("joined");
`;

const folder = await serviceFolder({ "service.mjs": EXAMPLE, "service.ts": EXAMPLE, "ending.mjs": ENDING });
afterAll(() => folder[Symbol.asyncDispose]());

function startShop(redis: RedisProcess): Promise<TestGateway> {
  return startGateway({
    torii: { redis: redis.url, telemetry: { accessLog: { enabled: false } } },
    routes: { services: { shop: {} }, routes: [{ name: "shop", backends: [{ service: "shop" }] }] },
  });
}

function countOf({ gateway }: TestGateway): number {
  return gateway.services.list().flatMap(({ endpoints }) => endpoints).length;
}

function keysOf(redis: RedisProcess): Promise<string> {
  return redis.cli("KEYS", "torii:mesh:{shop}:endpoints");
}

test("the README's example is right by its types, as the built package has them", async () => {
  await checkTypes(folder, "service.ts");
  await Bun.write(`${folder.path}/wrong.ts`, EXAMPLE.replace('service: "shop"', "service: 1"));
  await expect(checkTypes(folder, "wrong.ts")).rejects.toThrow("'number' is not assignable to type 'string'");
});

for (const [name, program] of RUNTIMES) {
  describe(`a service on ${name} with the built package`, () => {
    const start = (redis: RedisProcess, PORT: number): ServiceProcess =>
      startService(folder, [program, "service.mjs"], { REDIS_URL: redis.url, PORT: String(PORT) });

    test("that is told to end leaves first, and no request of those under way fails", async () => {
      await using redis = await startRedis();
      await using gateway = await startShop(redis);
      await using first = start(redis, freePort());
      await using second = start(redis, freePort());
      for (const service of [first, second]) await service.says("mesh: joined");
      await eventually(() => countOf(gateway) === 2, "both endpoints");
      const load = startLoad({ to: { port: gateway.port }, connections: 8, request: GET });
      await eventually(() => load.answered() > 100, "some load");
      first.child.kill("SIGTERM");
      expect([await first.child.exited, first.output()]).toEqual([0, expect.stringContaining("mesh: left")]);
      expect(countOf(gateway)).toBe(1);
      const answered = load.answered();
      await eventually(() => load.answered() > answered + 100, "load after it");
      expect((await load.stop()).failures).toEqual([]);
      expect(second.output().trim()).toBe("mesh: joined");
    });

    test("that has nothing more to do leaves, as nothing of the package holds it", async () => {
      await using redis = await startRedis();
      await using service = startService(folder, [program, "ending.mjs"], { REDIS_URL: redis.url });
      expect([await service.child.exited, service.output()]).toEqual([0, "joined\n"]);
      expect(await keysOf(redis)).toBe("");
    });

    test("that listens for no signal leaves, and is ended by it as ever", async () => {
      await using redis = await startRedis();
      const env = { REDIS_URL: redis.url, AFTER: "stay" };
      await using service = startService(folder, [program, "ending.mjs"], env);
      await service.says("joined");
      expect(await keysOf(redis)).not.toBe("");
      service.child.kill("SIGTERM");
      await service.child.exited;
      expect(service.child.signalCode).toBe("SIGTERM");
      expect(await keysOf(redis)).toBe("");
    });

    test("that listens for the signal itself leaves, and ends when it wants to", async () => {
      await using redis = await startRedis();
      const env = { REDIS_URL: redis.url, AFTER: "listen" };
      await using service = startService(folder, [program, "ending.mjs"], env);
      await service.says("joined");
      service.child.kill("SIGTERM");
      expect(await service.child.exited).toBe(7);
      expect(service.output()).toContain("ended by itself left");
      expect(await keysOf(redis)).toBe("");
    });

    test("whose Redis is killed goes on serving, and is back with it", async () => {
      await using redis = await startRedis();
      await using gateway = await startShop(redis);
      await using service = start(redis, freePort());
      await service.says("mesh: joined");
      await eventually(() => countOf(gateway) === 1, "the endpoint");
      const load = startLoad({ to: { port: gateway.port }, connections: 4, request: GET });
      await redis.kill();
      await service.says("mesh: away");
      await redis.restart();
      await eventually(async () => (await keysOf(redis)) !== "", "it to be back", 2500);
      const answered = load.answered();
      await eventually(() => load.answered() > answered + 20, "load after the return");
      expect((await load.stop()).failures).toEqual([]);
    });
  });
}
