import { expect, setDefaultTimeout, test } from "bun:test";
import { joinMesh, type RedisSource } from "../../packages/mesh/src/mesh.ts";
import { eventually, startLoad } from "../support/load.ts";
import { startOrigin } from "../support/origin.ts";
import { startRedis } from "../support/redis.ts";
import { startReplica, startSentinel } from "../support/redis-topology.ts";
import { startGateway } from "../support.ts";

setDefaultTimeout(120_000);

/** Two signs of life are missed in each outage. */
const LEASE_MS = 2000;
const OUTAGE_MS = 5000;

interface Faulty {
  /** What the gateway and the service reach it by. */
  readonly torii: unknown;
  readonly member: RedisSource;
  /** Resolves when Redis takes writes again. */
  readonly fail: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Gone for longer than any lease, and back with nothing in it. */
async function killed(): Promise<Faulty> {
  const redis = await startRedis();
  const fail = async () => {
    await redis.kill();
    await Bun.sleep(OUTAGE_MS);
    await redis.restart();
  };
  return { torii: redis.url, member: redis.url, fail, close: async () => redis[Symbol.asyncDispose]() };
}

/** Takes commands, and answers none of them for longer than any lease. */
async function paused(): Promise<Faulty> {
  const redis = await startRedis();
  const fail = async () => {
    await redis.cli("CLIENT", "PAUSE", String(OUTAGE_MS), "ALL");
    await redis.cli("PING");
  };
  return { torii: redis.url, member: redis.url, fail, close: async () => redis[Symbol.asyncDispose]() };
}

/** Its master is killed, and sentinels choose another. */
async function failedOver(): Promise<Faulty> {
  const master = await startRedis();
  const replica = await startReplica(master);
  const sentinel = await startSentinel(master);
  const isSeen = async () => (await sentinel.cli("sentinel", "replicas", "shop")).includes(String(replica.port));
  await eventually(isSeen, "the sentinel to know the replica", 15_000);
  return {
    torii: { sentinels: [`127.0.0.1:${sentinel.port}`], name: "shop" },
    member: { sentinels: [{ host: "127.0.0.1", port: sentinel.port }], name: "shop" },
    fail: async () => {
      await master.kill();
      const role = () => replica.cli("info", "replication").catch(() => "");
      await eventually(async () => (await role()).includes("role:master"), "another master", 30_000);
    },
    close: async () => {
      for (const one of [sentinel, replica, master]) await one[Symbol.asyncDispose]();
    },
  };
}

/** A service that lives, a gateway, and load between them, from before an outage until leases have ended after it. */
async function endure(start: () => Promise<Faulty>): Promise<readonly string[]> {
  const redis = await start();
  await using origin = startOrigin();
  const url = `http://127.0.0.1:${origin.port}`;
  const member = joinMesh({ redis: redis.member, service: "shop", url, ttlMs: LEASE_MS });
  await member.joined;
  await using gateway = await startGateway({
    torii: { redis: redis.torii, telemetry: { accessLog: { enabled: false } } },
    routes: { services: { shop: {} }, routes: [{ name: "shop", backends: [{ service: "shop" }] }] },
  });
  const known = () => gateway.gateway.services.list().flatMap(({ endpoints }) => endpoints).length;
  await eventually(() => known() === 1, "the endpoint");
  const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const load = startLoad({ to: { port: gateway.port }, connections: 2, request, pauseMs: 2 });
  await eventually(() => load.answered() > 100, "some load");
  await redis.fail();
  await eventually(() => member.state === "joined", "the service to be joined", 30_000);
  await Bun.sleep(2 * LEASE_MS);
  expect(known()).toBe(1);
  const { failures } = await load.stop();
  await member.leave();
  await eventually(() => known() === 0, "the endpoint to leave, since Redis is believed again", 30_000);
  await redis.close();
  return failures;
}

test("an endpoint that lives is lost to nobody while Redis is killed, silent or failing over for longer than leases last", async () => {
  const outages = { killed, paused, failedOver };
  const ended = Object.entries(outages).map(async ([name, start]) => [name, await endure(start)]);
  expect(Object.fromEntries(await Promise.all(ended))).toEqual({ killed: [], paused: [], failedOver: [] });
});
