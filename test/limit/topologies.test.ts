import { afterAll, describe, expect, test } from "bun:test";
import { limitKey } from "../../src/limit/key.ts";
import { eventually } from "../support/load.ts";
import { startRedis } from "../support/redis.ts";
import { moveSlot, startCluster, startReplica, startSentinel } from "../support/redis-topology.ts";
import { load, pairOver, SPEC } from "./pair.ts";

const nodes = await startCluster();
afterAll(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]();
});
const CLUSTER = { cluster: [`127.0.0.1:${nodes[0].port}`] };

describe("limits in a Cluster", () => {
  test("of every kind lend from both of its servers", async () => {
    await using two = await pairOver(CLUSTER);
    const [first, second] = two.limits;
    const quota = first.quota({ name: "day", limit: 10, window: { rollingMs: 60_000 }, onStoreError: "deny" });
    const slots = second.slots({ name: "flight", limit: 10, onStoreError: "deny" });
    const windows = second.limiter({ ...SPEC, algorithm: "sliding_window", limit: 10, burst: 10 });
    const leased = { isAdmitted: true, mode: "leased" };
    for (let number = 0; number < 20; number++) {
      const key = `key ${number}`;
      expect(await first.limiter(SPEC).take(key)).toMatchObject(leased);
      expect(await windows.take(key)).toMatchObject(leased);
      expect(await quota.take(key)).toMatchObject(leased);
      expect(await slots.enter(key)).toMatchObject(leased);
      slots.leave(key);
    }
    const sizes = await Promise.all(nodes.map(async (node) => Number(await node.cli("dbsize"))));
    expect(Math.min(...sizes)).toBeGreaterThan(20);
  });

  test("hold while the slot of their key moves to another server under load", async () => {
    await using two = await pairOver(CLUSTER);
    const meter = await load(two, 2500, async () => {
      await Bun.sleep(500);
      const move = await moveSlot(nodes, `torii:${limitKey("b", SPEC.name, "key")}`);
      await Bun.sleep(300);
      await move.finish();
    });
    expect(meter.most).toBeLessThanOrEqual(SPEC.burst + 0.5);
    expect(meter.total).toBeGreaterThan(200);
  });
});

describe("limits behind sentinels", () => {
  test("add one burst at most, once, when their master is replaced under load", async () => {
    await using master = await startRedis();
    await using replica = await startReplica(master);
    await using sentinel = await startSentinel(master);
    const seen = async () => (await sentinel.cli("sentinel", "replicas", "shop")).includes(String(replica.port));
    await eventually(seen, "a replica that the sentinel knows");
    await using two = await pairOver({ sentinels: [`127.0.0.1:${sentinel.port}`], name: "shop", password: null });
    const meter = await load(two, 8000, async () => {
      await Bun.sleep(800);
      await master.kill();
    });
    expect(meter.most).toBeLessThanOrEqual(2 * SPEC.burst + 0.5);
    await eventually(() => two.limits.every((one) => one.state().mode === "leased"), "leases again", 10_000);
    expect((await load(two, 1000)).total).toBeGreaterThan(50);
  }, 40_000);
});
