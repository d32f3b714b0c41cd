import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually, startLoad } from "../support/load.ts";
import { startOrigin } from "../support/origin.ts";
import type { RedisProcess } from "../support/redis.ts";
import { startRedis } from "../support/redis.ts";
import { moveSlot, startCluster, startReplica, startSentinel } from "../support/redis-topology.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** Writes an endpoint of the service `shop`, by plain commands of a client that is sent on where a Cluster says so. */
async function join(redis: RedisProcess, id: string, port: number): Promise<void> {
  const json = JSON.stringify({ url: `http://127.0.0.1:${port}` });
  await redis.cli("-c", "HSET", "torii:mesh:{shop}:endpoints", id, json);
  await redis.cli("-c", "ZADD", "torii:mesh:{shop}:leases", String(Date.now() + 60_000), id);
  await redis.cli("-c", "PUBLISH", "torii:mesh:changes", "shop");
}

function startShop(redis: unknown): Promise<TestGateway> {
  return startGateway({
    torii: { redis, telemetry: { accessLog: { enabled: false } } },
    routes: { services: { shop: {} }, routes: [{ name: "shop", backends: [{ service: "shop" }] }] },
  });
}

/** The ids of the endpoints that are known, until they are these. */
function knows({ gateway }: TestGateway, ids: readonly string[], timeoutMs: number): Promise<void> {
  const known = () => gateway.services.list().flatMap(({ endpoints }) => endpoints.map(({ id }) => id));
  return eventually(() => Bun.deepEquals(known(), [...ids]), `the endpoints ${ids}`, timeoutMs);
}

test("a failover by sentinels fails no request, and what joins at the new master is found", async () => {
  await using master = await startRedis();
  await using replica = await startReplica(master);
  await using sentinel = await startSentinel(master);
  await using origin = startOrigin();
  await join(master, "one", origin.port);
  await using gateway = await startShop({ sentinels: [`127.0.0.1:${sentinel.port}`], name: "shop" });
  await knows(gateway, ["one"], 5000);
  const isSeen = async () => (await sentinel.cli("sentinel", "replicas", "shop")).includes(String(replica.port));
  await eventually(isSeen, "the sentinel to know the replica", 15_000);
  const load = startLoad({ to: { port: gateway.port }, connections: 4, request: GET });
  await eventually(() => load.answered() > 100, "some load");
  await master.kill();
  // The sentinel ends all connections of the new master, redis-cli's as well.
  const role = () => replica.cli("info", "replication").catch(() => "");
  await eventually(async () => (await role()).includes("role:master"), "another master", 20_000);
  await using other = startOrigin();
  await eventually(
    () =>
      join(replica, "two", other.port).then(
        () => true,
        () => false,
      ),
    "it to take writes",
    10_000,
  );
  await knows(gateway, ["one", "two"], 15_000);
  expect((await load.stop()).failures).toEqual([]);
});

test("slots of a Cluster that move fail no request, and what joins meanwhile is found", async () => {
  const nodes = await startCluster();
  await using first = nodes[0];
  await using _second = nodes[1];
  await using origin = startOrigin();
  await using other = startOrigin();
  await join(first, "one", origin.port);
  await using gateway = await startShop({ cluster: [`127.0.0.1:${first.port}`] });
  await knows(gateway, ["one"], 5000);
  const load = startLoad({ to: { port: gateway.port }, connections: 4, request: GET });
  await eventually(() => load.answered() > 100, "some load");
  const move = await moveSlot(nodes, "torii:mesh:{shop}:leases");
  await first.cli("PUBLISH", "torii:mesh:changes", "shop");
  await move.finish();
  await join(first, "two", other.port);
  await knows(gateway, ["one", "two"], 10_000);
  expect((await load.stop()).failures).toEqual([]);
});
