import { expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../support/load.ts";
import { startOrigin } from "../support/origin.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(30_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PAGE = await Bun.file(join(import.meta.dir, "../../docs/mesh.md")).text();
/** The part of the page that is about plain commands, and the commands in it. */
const PART = /^## By plain commands\n([\s\S]*?)^## /m.exec(PAGE)?.[1] ?? "";
const BLOCKS = [...PART.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, lines = ""]) => lines);

/** A shell in which `redis-cli` reaches this Redis; the lines themselves stay as they are. */
async function createShell({ port }: RedisProcess) {
  const folder = await mkdtemp(join(tmpdir(), "torii-docs-"));
  const program = join(folder, "redis-cli");
  await Bun.write(program, `#!/bin/sh\nexec ${Bun.which("redis-cli")} -e -p ${port} "$@"\n`);
  await chmod(program, 0o755);
  return {
    run: async (lines: string): Promise<void> => {
      const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
      const child = Bun.spawn(["sh", "-euc", lines], { env, stdout: "pipe", stderr: "pipe" });
      const output = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
      if ((await child.exited) !== 0) throw new Error(`${lines}\n${output.join("")}`);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function idsOf({ gateway }: TestGateway): readonly string[] {
  return gateway.services.list().flatMap(({ endpoints }) => endpoints.map(({ id }) => id));
}

test("the page's lines for redis-cli bring an endpoint into the mesh, keep it there and take it out", async () => {
  await using redis = await startRedis();
  await using shell = await createShell(redis);
  await using origin = startOrigin();
  await using gateway = await startGateway({
    torii: { redis: redis.url },
    routes: { services: { shop: { discover: "redis" } }, routes: [{ name: "shop", backends: [{ service: "shop" }] }] },
  });
  const [join = "", leave = "", ...rest] = BLOCKS;
  expect(rest).toEqual([]);
  // Nobody listens at the page's own address.
  const joining = join.replace("10.0.0.7:8080", `127.0.0.1:${origin.port}`);
  expect(joining).not.toBe(join);
  expect((await gateway.exchange(GET)).status).toBe(503);
  await shell.run(joining);
  await eventually(() => idsOf(gateway).join() === "shop-1", "the endpoint to be known", 1000);
  expect((await gateway.exchange(GET)).status).toBe(200);
  const score = () => redis.cli("ZSCORE", "torii:mesh:{shop}:leases", "shop-1").then(Number);
  const first = await score();
  expect(first - Date.now()).toBeWithin(10_000, 15_001);
  await redis.cli("FLUSHALL");
  await shell.run(joining);
  expect(await score()).toBeGreaterThan(first);
  await shell.run(leave);
  await eventually(() => idsOf(gateway).length === 0, "the endpoint to be gone", 1000);
  expect((await gateway.exchange(GET)).status).toBe(503);
});
