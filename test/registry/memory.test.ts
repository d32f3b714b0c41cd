import { describe, expect, test } from "bun:test";
import { createMemoryRegistry, type MemoryRegistry } from "../../src/registry/memory.ts";
import type { EndpointSpec } from "../../src/registry/registry.ts";
import { changingRegistryContract, follow, type RegistryWorld, registryContract, spec } from "./contract.ts";

const FOREVER = Number.POSITIVE_INFINITY;

function world(catalog: readonly EndpointSpec[]): RegistryWorld {
  const registry = createMemoryRegistry();
  const held = new Map<string, readonly EndpointSpec[]>();
  const change = (service: string, endpoints: readonly EndpointSpec[]): void => {
    const ids = new Set(endpoints.map(({ id }) => id));
    for (const endpoint of endpoints) registry.register(service, endpoint, FOREVER);
    for (const { id } of held.get(service) ?? []) if (!ids.has(id)) registry.deregister(service, id);
    held.set(service, endpoints);
  };
  change("catalog", catalog);
  return { registry, change, close: registry.close };
}

registryContract("memory", world);
changingRegistryContract("memory", () => world([]));

/** A registry whose time is moved by hand. */
function timed(): { registry: MemoryRegistry; move(ms: number): void; armed(): number } {
  let now = 1000;
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  const registry = createMemoryRegistry({
    now: () => now,
    after: (delayMs, run) => {
      const timer = { at: now + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
  });
  const move = (ms: number): void => {
    now += ms;
    const due = timers.filter(({ at }) => at <= now);
    timers = timers.filter(({ at }) => at > now);
    for (const { run } of due) run();
  };
  return { registry, move, armed: () => timers.length };
}

async function current(registry: MemoryRegistry): Promise<string[]> {
  const watch = follow(registry, "catalog");
  const ids = await watch.next();
  watch.end();
  return ids;
}

describe("a lease in memory", () => {
  test("ends when its time is over, and the watchers hear of it", async () => {
    const { registry, move } = timed();
    registry.register("catalog", spec("a"), 100);
    registry.register("catalog", spec("b"), 300);
    const watch = follow(registry, "catalog");
    expect(await watch.next()).toEqual(["a", "b"]);
    move(99);
    expect(await current(registry)).toEqual(["a", "b"]);
    move(1);
    expect(await watch.next()).toEqual(["b"]);
    move(200);
    expect(await watch.next()).toEqual([]);
    watch.end();
  });

  test("that is renewed in time goes on, and nobody is woken", async () => {
    const { registry, move } = timed();
    registry.register("catalog", spec("a"), 100);
    const watch = follow(registry, "catalog");
    await watch.next();
    const waiting = watch.raw();
    for (let i = 0; i < 5; i++) {
      move(60);
      registry.register("catalog", spec("a"), 100);
    }
    registry.register("catalog", spec("b"), 100);
    expect(((await waiting).value ?? []).length).toBe(2);
    watch.end();
  });

  test("that was renewed for longer does not end at its old time, nor one made shorter at its old time", async () => {
    const { registry, move } = timed();
    registry.register("catalog", spec("a"), 100);
    registry.register("catalog", spec("a"), 500);
    registry.register("catalog", spec("b"), 500);
    registry.register("catalog", spec("b"), 50);
    move(60);
    expect(await current(registry)).toEqual(["a"]);
    move(440);
    expect(await current(registry)).toEqual([]);
  });

  test("can be taken anew after its end", async () => {
    const { registry, move } = timed();
    registry.register("catalog", spec("a"), 100);
    move(200);
    registry.register("catalog", spec("a"), 100);
    expect(await current(registry)).toEqual(["a"]);
  });

  test("needs one timer however many there are, and none once the registry is closed", () => {
    const { registry, armed } = timed();
    for (let i = 0; i < 50; i++) registry.register("catalog", spec(`e${i}`), 1000 - i);
    expect(armed()).toBe(1);
    registry.close();
    expect(armed()).toBe(0);
  });
});

describe("registering", () => {
  test("an endpoint of the same id replaces it", async () => {
    const { registry } = timed();
    registry.register("catalog", spec("a", { weight: 1 }), FOREVER);
    registry.register("catalog", spec("a", { weight: 5 }), FOREVER);
    const watch = follow(registry, "catalog");
    expect((await watch.raw()).value).toEqual([spec("a", { weight: 5 })]);
    watch.end();
  });

  const bad: readonly string[] = [
    "127.0.0.1:9000",
    "http://h:1/path",
    "http://h:1/?q",
    "ftp://h:1",
    "http://u:p@h:1",
    "",
  ];
  test.each(bad)("%p as a URL is refused", (url) => {
    expect(() => timed().registry.register("catalog", spec("a", { url }), 1)).toThrow("write http://host:port");
  });

  test("a lease of no length is refused", () => {
    for (const leaseMs of [0, -1, Number.NaN]) {
      expect(() => timed().registry.register("catalog", spec("a"), leaseMs)).toThrow("longer than 0 ms");
    }
  });

  test("what is not there can be deregistered", async () => {
    const { registry } = timed();
    registry.deregister("catalog", "nobody");
    expect(await current(registry)).toEqual([]);
  });
});
