import { expect, setDefaultTimeout, test } from "bun:test";
import { Cluster } from "ioredis";
import { authority } from "../support/certificates.ts";
import { eventually } from "../support/load.ts";
import { startRedis } from "../support/redis.ts";
import { moveSlot, startCluster, startReplica, startSentinel, startServer } from "../support/redis-topology.ts";
import { ENDPOINTS, heldOf, isHeld, LEASES, startMember } from "./support.ts";

setDefaultTimeout(60_000);

test("a Redis over TLS that knows users is joined with what ioredis takes, and not without", async () => {
  const ca = authority();
  const both = ca.issue({ names: ["redis.test"], otherNames: ["IP:127.0.0.1"], usage: "both" });
  const own = ca.issue({ commonName: "shop", names: ["shop.test"], usage: "client" });
  const user = { username: "app", password: "app-secret" };
  const tls = { certPath: both.certPath, keyPath: both.keyPath, caPath: ca.certPath };
  await using redis = await startServer({ tls, user });
  const options = { host: "127.0.0.1", port: redis.port, ...user };
  const secure = { ca: ca.cert, cert: own.cert, key: own.key };
  await using shop = startMember({ ...options, tls: secure });
  expect(await shop.member.joined).toBe(true);
  expect(await heldOf(redis)).toMatchObject({ weight: 1 });
  await using wrong = startMember({ ...options, password: "wrong", tls: secure }, { id: "wrong" });
  await using strange = startMember({ ...options, tls: { cert: own.cert, key: own.key } }, { id: "strange" });
  for (const one of [wrong, strange]) await eventually(() => one.member.state === "away", "it to be away");
  expect(wrong.said[0]?.[1]).toContain("WRONGPASS");
  expect(strange.said[0]?.[1]).toMatch(/certificate/);
});

test("a user whom the ACL gives only what the page names may join and leave", async () => {
  await using redis = await startRedis();
  const page = await Bun.file(`${import.meta.dir}/../../docs/mesh.md`).text();
  const [, rights = ""] = /^user shop on >secret (.*)$/m.exec(page) ?? [];
  expect(rights).not.toBe("");
  await redis.cli("ACL", "SETUSER", "shop", "on", ">secret", ...rights.split(" "));
  await using shop = startMember(redis.url.replace("//", "//shop:secret@"));
  await eventually(() => shop.said.length > 0, "an answer");
  expect(shop.said).toEqual([["joined", null]]);
  expect(await shop.member.leave()).toBe(true);
  expect(await redis.cli("KEYS", "*")).toBe("");
});

test("a server that became a copy is away, and is tried on until it takes writes", async () => {
  await using redis = await startRedis();
  await using shop = startMember(redis.url);
  expect(await shop.member.joined).toBe(true);
  await redis.cli("REPLICAOF", "127.0.0.1", "1");
  await eventually(() => shop.member.state === "away", "it to be away");
  expect(shop.said.at(-1)?.[1]).toContain("READONLY");
  await redis.cli("REPLICAOF", "NO", "ONE");
  await eventually(() => shop.member.state === "joined", "it to be joined");
});

test("a failover by sentinels: the endpoint is at the new master", async () => {
  await using master = await startRedis();
  await using replica = await startReplica(master);
  await using sentinel = await startSentinel(master);
  await using shop = startMember({ sentinels: [{ host: "127.0.0.1", port: sentinel.port }], name: "shop" });
  expect(await shop.member.joined).toBe(true);
  const isSeen = async () => (await sentinel.cli("sentinel", "replicas", "shop")).includes(String(replica.port));
  await eventually(isSeen, "the sentinel to know the replica", 15_000);
  await master.kill();
  // The sentinel ends all connections of the new master, redis-cli's as well.
  const role = () => replica.cli("info", "replication").catch(() => "");
  await eventually(async () => (await role()).includes("role:master"), "another master", 20_000);
  await replica.cli("DEL", ENDPOINTS, LEASES).catch(() => "");
  await isHeld(replica, 10_000);
  await eventually(() => shop.member.state === "joined", "it to be joined");
  expect(await shop.member.leave()).toBe(true);
  expect(await heldOf(replica)).toBeNull();
});

test("a Cluster whose slots move: the endpoint goes with them, over the service's own client", async () => {
  const nodes = await startCluster();
  await using first = nodes[0];
  await using _second = nodes[1];
  const client = new Cluster([{ host: "127.0.0.1", port: first.port }]);
  await using shop = startMember(client);
  expect(await shop.member.joined).toBe(true);
  const move = await moveSlot(nodes, LEASES);
  await move.finish();
  await move.to.cli("DEL", ENDPOINTS, LEASES);
  await isHeld(move.to);
  const names = await Promise.all(nodes.map((node) => node.cli("SMEMBERS", "torii:mesh:services").catch(() => "")));
  expect(names).toContain("shop");
  expect(await shop.member.leave()).toBe(true);
  expect(await move.to.cli("EXISTS", ENDPOINTS, LEASES)).toBe("0");
  client.disconnect();
});
