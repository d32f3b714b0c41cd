import { expect, setDefaultTimeout, test } from "bun:test";
import { Cluster } from "ioredis";
import { joinMesh } from "../../packages/mesh/src/mesh.ts";
import { eventually, startLoad } from "../support/load.ts";
import { startOrigin } from "../support/origin.ts";
import { runProgram } from "../support/program.ts";
import type { RedisProcess } from "../support/redis.ts";
import { startCluster } from "../support/redis-topology.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(120_000);

const NAMES = Array.from({ length: 12 }, (_, index) => `shop-${index}`);
const ALL = 8192;

/** A route to all services in turn: one load asks all of them. */
const ROUTES = {
  services: Object.fromEntries(NAMES.map((name) => [name, {}])),
  routes: [{ name: "all", backends: NAMES.map((service) => ({ service })) }],
};

function endpointsOf({ gateway }: TestGateway): readonly string[] {
  return gateway.services.list().flatMap(({ name, endpoints }) => endpoints.map(({ id }) => `${name} ${id}`));
}

/** Moves slots as an operator does, by Redis's own tool. */
async function reshard(from: RedisProcess, to: RedisProcess, slots: number): Promise<void> {
  const [fromId, toId] = await Promise.all([from, to].map((node) => node.cli("cluster", "myid")));
  const way = ["--cluster-from", `${fromId}`, "--cluster-to", `${toId}`, "--cluster-slots", String(slots)];
  const command = ["redis-cli", "--cluster", "reshard", `127.0.0.1:${from.port}`, ...way, "--cluster-yes"];
  const { status, stdout, stderr } = await runProgram(command, { timeoutMs: 100_000 });
  if (status !== 0) throw new Error(`${stdout.slice(-1000)}${stderr}`);
}

async function slotsOf(node: RedisProcess): Promise<number> {
  const own = (await node.cli("cluster", "nodes")).split("\n").find((line) => line.includes("myself")) ?? "";
  const ranges = own
    .split(" ")
    .slice(8)
    .filter((word) => !word.startsWith("["));
  return ranges.reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}

test("a Cluster that is resharded whole, while services live and join in it, fails no request", async () => {
  const nodes = await startCluster();
  await using first = nodes[0];
  await using second = nodes[1];
  await using origin = startOrigin();
  const client = new Cluster([{ host: "127.0.0.1", port: first.port }]);
  const url = `http://127.0.0.1:${origin.port}`;
  // Each is out after three seconds without a sign of life: they have to write while their slots move.
  const join = (service: string, id: string) =>
    joinMesh({ redis: client, service, url: id === "one" ? url : `http://localhost:${origin.port}`, id, ttlMs: 3000 });
  const members = NAMES.map((name) => join(name, "one"));
  await Promise.all(members.map(({ joined }) => joined));
  await using gateway = await startGateway({
    torii: { redis: { cluster: [`127.0.0.1:${first.port}`] }, telemetry: { accessLog: { enabled: false } } },
    routes: ROUTES,
  });
  const knows = (id: string) =>
    eventually(() => NAMES.every((name) => endpointsOf(gateway).includes(`${name} ${id}`)), `each ${id}`, 15_000);
  await knows("one");
  const load = startLoad({
    to: { port: gateway.port },
    connections: 4,
    request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    pauseMs: 2,
  });
  await eventually(() => load.answered() > 100, "some load");
  let isMoved = false;
  const moved = reshard(first, second, ALL).finally(() => {
    isMoved = true;
  });
  await eventually(async () => isMoved || (await slotsOf(first)) < ALL * 0.8, "slots to move", 60_000);
  expect(isMoved).toBe(false);
  members.push(...NAMES.map((name) => join(name, "two")));
  await knows("two");
  await moved;
  expect([await slotsOf(first), await slotsOf(second)]).toEqual([0, 2 * ALL]);
  const answered = load.answered();
  await eventually(() => load.answered() > answered + 200, "load after it");
  await Promise.all(members.slice(NAMES.length).map((member) => member.leave()));
  await eventually(() => endpointsOf(gateway).length === NAMES.length, "those that left to be gone", 15_000);
  expect((await load.stop()).failures).toEqual([]);
  await Promise.all(members.map((member) => member.leave()));
  client.disconnect();
});
