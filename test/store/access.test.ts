import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createRedisStore } from "../../src/store/redis.ts";
import type { RedisTarget, RedisTls } from "../../src/store/redis-target.ts";
import { authority } from "../support/certificates.ts";
import { eventually } from "../support/load.ts";
import type { RedisProcess } from "../support/redis.ts";
import { type RedisManner, startCluster, startReplica, startSentinel, startServer } from "../support/redis-topology.ts";
import { codeOf, follow } from "./support.ts";

setDefaultTimeout(60_000);

const ca = authority();
const server = ca.issue({ names: ["redis.test"], otherNames: ["IP:127.0.0.1"] });
const own = ca.issue({ commonName: "torii", names: ["torii.test"], usage: "client" });
// `redis-server` shows the same certificate to those that it connects to.
const both = ca.issue({ names: ["redis.test"], otherNames: ["IP:127.0.0.1"], usage: "both" });
const TLS: RedisTls = { caPem: ca.cert, serverName: null, certPem: own.cert, keyPem: own.key };
const APP = { username: "app", password: "app-secret" };
const WATCHER = { username: "watcher", password: "watcher-secret" };
const secure = { certPath: both.certPath, keyPath: both.keyPath, caPath: ca.certPath };
const MANNER: RedisManner = { tls: secure, user: APP };

/** Writes, runs a script, and hears of a message. */
async function works(target: RedisTarget): Promise<void> {
  const store = createRedisStore({ config: target, timeoutMs: 2000 });
  await using news = follow(store, "news");
  await store.set("a", "1");
  expect(await store.get("a")).toBe("1");
  expect(await store.compareAndSet("a", { expected: "1", value: "2" })).toBe(true);
  await news.standing(1);
  await store.publish("news", "hello");
  expect(await news.texts(1)).toEqual(["hello"]);
  await store.close();
}

/** The code of the error with which a call fails. */
async function refusal(config: RedisTarget): Promise<string> {
  const store = createRedisStore({ config, timeoutMs: 2000 });
  try {
    return await codeOf(store.get("a"));
  } finally {
    await store.close();
  }
}

describe("a Redis over TLS that knows users", () => {
  test("is used with both, and under a prefix of its own", async () => {
    await using redis = await startServer(MANNER);
    const url = redis.url.replace("//", "//app:app-secret@");
    await works({ url, tls: TLS, prefix: "other:" });
    expect(await redis.cli("keys", "*")).toBe("other:a");
    await works({ url: url.replace("127.0.0.1", "localhost"), tls: { ...TLS, serverName: "redis.test" } });
  });

  test("is not believed without its authority or by another name, and lets nobody in without a certificate", async () => {
    await using redis = await startServer(MANNER);
    const url = redis.url.replace("//", "//app:app-secret@");
    expect(await refusal({ url })).toBe("unavailable");
    expect(await refusal({ url, tls: { ...TLS, caPem: server.cert } })).toBe("unavailable");
    expect(await refusal({ url, tls: { ...TLS, serverName: "else.test" } })).toBe("unavailable");
    expect(await refusal({ url: url.replace("127.0.0.1", "localhost"), tls: TLS })).toBe("unavailable");
    expect(await refusal({ url, tls: { ...TLS, certPem: null, keyPem: null } })).toBe("unavailable");
    expect(await refusal({ url: redis.url, tls: TLS })).not.toBe("no error");
  });
});

describe("sentinels over TLS that know other users than their master", () => {
  test("lead to the master, and to the next one", async () => {
    await using master = await startServer(MANNER);
    await using replica = await startReplica(master, MANNER);
    await using sentinel = await startSentinel(master, { master: MANNER, own: { tls: secure, user: WATCHER } });
    const config: RedisTarget = {
      sentinels: [`127.0.0.1:${sentinel.port}`],
      name: "shop",
      ...APP,
      sentinelUsername: WATCHER.username,
      sentinelPassword: WATCHER.password,
      tls: TLS,
    };
    await works(config);
    expect(await refusal({ ...config, sentinelPassword: "wrong" })).toBe("unavailable");
    const store = createRedisStore({ config });
    await using news = follow(store, "news");
    await news.standing(1);
    const isSeen = async () => (await sentinel.cli("sentinel", "replicas", "shop")).includes(String(replica.port));
    await eventually(isSeen, "the replica to be seen", 15_000);
    await master.kill();
    const isWritten = async () => {
      await store.set("b", "2").catch(() => {});
      return (await valueIn(replica, "torii:b")) === "2";
    };
    await eventually(isWritten, "the replica to be master", 20_000);
    await news.standing(2, 10_000);
    await store.close();
  });
});

test("a sentinel or a server that is named by its host is verified by that name", async () => {
  const named = ca.issue({ names: ["localhost"], otherNames: ["IP:127.0.0.1"], usage: "both" });
  const nameless = ca.issue({ commonName: "redis", otherNames: ["IP:127.0.0.1"], usage: "both" });
  for (const [certificate, code] of [
    [named, "no error"],
    [nameless, "unavailable"],
  ] as const) {
    const tls = { certPath: certificate.certPath, keyPath: certificate.keyPath, caPath: ca.certPath };
    await using master = await startServer({ tls });
    await using sentinel = await startSentinel(master, { own: { tls } });
    expect(await refusal({ sentinels: [`localhost:${sentinel.port}`], name: "shop", tls: TLS })).toBe(code);
    expect(await refusal({ url: `rediss://localhost:${master.port}`, tls: TLS })).toBe(code);
  }
});

function valueIn(redis: RedisProcess, key: string): Promise<string> {
  return redis.cli("get", key).catch(() => "");
}

test("a Cluster over TLS that knows users is used whole", async () => {
  const nodes = await startCluster(MANNER);
  const target: RedisTarget = { cluster: [`127.0.0.1:${nodes[0].port}`], ...APP, tls: TLS };
  try {
    await works(target);
    const store = createRedisStore({ config: target, timeoutMs: 2000 });
    for (let number = 0; number < 20; number++) await store.set(`key ${number}`, "1");
    await store.close();
    for (const node of nodes) expect(Number(await node.cli("dbsize"))).toBeGreaterThan(0);
    expect(await refusal({ ...target, password: "wrong" })).not.toBe("no error");
  } finally {
    for (const node of nodes) await node[Symbol.asyncDispose]();
  }
});
