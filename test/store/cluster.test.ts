import { afterAll, describe, expect, test } from "bun:test";
import { createRedisStore } from "../../src/store/redis.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { eventually } from "../support/load.ts";
import { moveSlot, startCluster } from "../support/redis-topology.ts";
import { storeContract } from "./contract.ts";
import { COUNT } from "./contract-script.ts";
import { follow } from "./support.ts";

const nodes = await startCluster();
const [first, second] = nodes;
const cluster = [`127.0.0.1:${first.port}`];
afterAll(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]();
});

storeContract("a Cluster", async () => {
  for (const node of nodes) {
    await node.cli("flushall");
    await node.cli("script", "flush");
  }
  const store = createRedisStore({ config: { cluster } });
  const other = createRedisStore({ config: { cluster: [`127.0.0.1:${second.port}`] } });
  return {
    store,
    other,
    pass: (ms) => Bun.sleep(ms),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([store.close(), other.close()]);
    },
  };
});

describe("a Cluster", () => {
  test("has keys and scripts on every server, and one tag's keys on one", async () => {
    const store = createRedisStore({ config: { cluster } });
    for (let number = 0; number < 40; number++) {
      await store.set(`key ${number}`, "1");
      await store.script(COUNT, { keys: [`count ${number}`], args: ["f", "1", "60000"] });
    }
    const sizes = await Promise.all(nodes.map(async (node) => Number(await node.cli("dbsize"))));
    expect(Math.min(...sizes)).toBeGreaterThan(10);
    await store.close();
  });

  test("is followed when slots move from one server to another", async () => {
    const store = createRedisStore({ config: { cluster } });
    await store.set("{moved}", "1");
    const move = await moveSlot(nodes, "torii:{moved}");
    // The slot is on its way: its key is at the one, and clients are sent there by the other.
    expect(await store.get("{moved}")).toBe("1");
    expect(await store.compareAndSet("{moved}", { expected: "1", value: "2" })).toBe(true);
    await move.finish();
    expect(await store.get("{moved}")).toBe("2");
    expect(await move.to.cli("get", "torii:{moved}")).toBe("2");
    await store.close();
  });

  test("whose one server is killed lets calls fail in time, and is whole again when that is back", async () => {
    const store = createRedisStore({ config: { cluster } });
    await using news = follow(store, "news");
    await news.standing(1);
    await store.set("a", "1");
    const keys = Array.from({ length: 20 }, (_, number) => `key ${number}`);
    await second.kill();
    const startedAt = performance.now();
    const outcomes = await Promise.allSettled(keys.map((key) => store.set(key, "1")));
    expect(performance.now() - startedAt).toBeLessThan(600);
    const errors = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(errors.length).toBeGreaterThan(3);
    expect(errors.filter((error) => !(error instanceof StoreError && error.isUnavailable))).toEqual([]);
    await second.restart();
    const isWhole = () =>
      Promise.all(keys.map((key) => store.set(key, "2"))).then(
        () => true,
        () => false,
      );
    await eventually(isWhole, "whole", 15_000);
    await store.publish("news", "1");
    await store.close();
  }, 30_000);
});
