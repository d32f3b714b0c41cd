import { expect, test } from "bun:test";
import { CHANGES_CHANNEL } from "../../packages/mesh/src/keys.ts";
import { meshLink } from "../../src/gateway/mesh.ts";
import type { MeshLink } from "../../src/registry/mesh-link.ts";
import { createRedisRegistry } from "../../src/registry/redis.ts";
import { createRedisStore } from "../../src/store/redis.ts";
import { startRedis } from "../support/redis.ts";

test("a service that tells of changes without a pause is read no more often than every 25 ms", async () => {
  await using redis = await startRedis();
  const store = createRedisStore({ config: { url: redis.url } });
  const real = meshLink(store);
  const readAt: number[] = [];
  const link: MeshLink = {
    ...real,
    run: (script, call) => {
      readAt.push(performance.now());
      return real.run(script, call);
    },
  };
  const registry = createRedisRegistry({ link, onState() {}, onIgnored() {}, onRefused() {} });
  const abort = new AbortController();
  void Array.fromAsync(registry.watch("shop", abort.signal));
  const until = performance.now() + 500;
  while (performance.now() < until) await real.publish(CHANGES_CHANNEL, "shop");
  abort.abort();
  registry.close();
  await store.close();
  const pauses = readAt.slice(1).map((at, i) => at - (readAt[i] ?? 0));
  expect(readAt.length).toBeGreaterThan(3);
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(24);
});
