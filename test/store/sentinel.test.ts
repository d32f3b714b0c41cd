import { expect, test } from "bun:test";
import { createRedisStore } from "../../src/store/redis.ts";
import { eventually } from "../support/load.ts";
import { freePort, type RedisProcess, startRedis } from "../support/redis.ts";
import { startReplica, startSentinel } from "../support/redis-topology.ts";
import { follow } from "./support.ts";

function failover(sentinel: RedisProcess): Promise<boolean> {
  return sentinel.cli("sentinel", "failover", "shop").then(
    () => true,
    () => false,
  );
}

const ENDS: Readonly<Record<string, (master: RedisProcess, sentinel: RedisProcess) => Promise<unknown>>> = {
  "is killed": (master) => master.kill(),
  "is made a replica": (_, sentinel) => eventually(() => failover(sentinel), "a replica fit to be master"),
};

test.each(Object.entries(ENDS))(
  "a master that %s is replaced by the one that the sentinels chose",
  async (_, end) => {
    await using master = await startRedis();
    await using replica = await startReplica(master);
    await using sentinel = await startSentinel(master);
    const nobody = `127.0.0.1:${freePort()}`;
    const store = createRedisStore({
      config: { sentinels: [nobody, `127.0.0.1:${sentinel.port}`], name: "shop", password: null },
    });
    await using news = follow(store, "news");
    await store.set("a", "1");
    await news.standing(1);
    await eventually(
      async () => (await sentinel.cli("sentinel", "replicas", "shop")).includes(String(replica.port)),
      "seen",
    );
    await eventually(async () => (await replica.cli("get", "torii:a")) === "1", "replicated");
    await end(master, sentinel);
    // Written to the old master until that is no longer one. The sentinel ends all connections, redis-cli's as well.
    const read = (...words: readonly string[]) => replica.cli(...words).catch(() => "");
    const isWrittenToTheOther = async (): Promise<boolean> => {
      await store.set("a", "2").catch(() => {});
      return (await read("info", "replication")).includes("role:master") && (await read("get", "torii:a")) === "2";
    };
    await eventually(isWrittenToTheOther, "another master", 15_000);
    await news.standing(2, 10_000);
    await eventually(() => store.state === "ready", "ready");
    await store.publish("news", "after");
    expect(await news.texts(1)).toEqual(["after"]);
    await store.close();
  },
  30_000,
);

test("a name that no sentinel knows makes calls fail", async () => {
  await using master = await startRedis();
  await using sentinel = await startSentinel(master);
  const store = createRedisStore({
    config: { sentinels: [`127.0.0.1:${sentinel.port}`], name: "another", password: null },
  });
  await expect(store.get("a")).rejects.toThrow(/All sentinels are unreachable/);
  await store.close();
});
