import { describe, expect, test } from "bun:test";
import { createMemoryRegistry, type MemoryRegistry } from "../../src/registry/memory.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { createStaticRegistry } from "../../src/registry/static.ts";
import { createService, type Service } from "../../src/service/service.ts";
import { eventually } from "../support/load.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { forward, serviceDeps, serviceOptions, spec, type Warnings } from "./support.ts";

const LEASE_MS = 60_000;
const named = (name: string): Upstream => startAnswering(() => ok(name));

interface Setup extends Disposable {
  readonly registry: MemoryRegistry;
  readonly service: Service;
  readonly warnings: Warnings;
  register(id: string, url: string, weight?: number): void;
}

function open(): Setup {
  const registry = createMemoryRegistry();
  const warnings: Warnings = [];
  const service = createService("shop", serviceOptions(), serviceDeps(registry, warnings));
  return {
    registry,
    service,
    warnings,
    register: (id, url, weight) => registry.register("shop", spec(id, url, weight), LEASE_MS),
    [Symbol.dispose]() {
      service.close();
      registry.close();
    },
  };
}

const ids = (service: Service) => service.endpoints.map(({ id }) => id);

async function outcomes(service: Service, count: number): Promise<string> {
  const all: string[] = [];
  for (let i = 0; i < count; i++) all.push((await forward(service)).outcome);
  return all.join("");
}

describe("a service", () => {
  test("is ready when its registry has told the first set, were it empty", async () => {
    using setup = open();
    await setup.service.ready;
    expect(setup.service.endpoints).toEqual([]);
  });

  test("without an endpoint refuses at once, and says when to come again", async () => {
    using setup = open();
    await setup.service.ready;
    const { error, exchange } = await forward(setup.service);
    expect(error).toMatchObject({ code: "no_endpoint", retryAfter: 1 });
    expect(exchange).toMatchObject({ service: "shop", endpoint: null, attempts: 0 });
  });

  test("whose endpoints all have weight 0 has none", async () => {
    await using a = named("a");
    using setup = open();
    setup.register("a", a.url, 0);
    await setup.service.ready;
    expect((await forward(setup.service)).outcome).toBe("no_endpoint");
  });

  test("follows its registry: endpoints come, weigh more, and go", async () => {
    await using a = named("a");
    await using b = named("b");
    using setup = open();
    setup.register("a", a.url);
    await eventually(() => setup.service.endpoints.length === 1, "a");
    expect(await outcomes(setup.service, 2)).toBe("aa");
    setup.register("b", b.url);
    await eventually(() => setup.service.endpoints.length === 2, "b");
    expect(await outcomes(setup.service, 4)).toBe("baba");
    setup.register("b", b.url, 3);
    await eventually(() => setup.service.endpoints[1]?.weight === 3, "b's weight");
    expect(await outcomes(setup.service, 4)).toBe("abbb");
    setup.registry.deregister("shop", "a");
    await eventually(() => setup.service.endpoints.length === 1, "a to leave");
    expect(await outcomes(setup.service, 2)).toBe("bb");
  });

  test("keeps the connections of endpoints that stay, and closes those of endpoints that leave", async () => {
    await using a = named("a");
    await using b = named("b");
    using setup = open();
    setup.register("a", a.url);
    setup.register("b", b.url);
    await eventually(() => setup.service.endpoints.length === 2, "both");
    await outcomes(setup.service, 2);
    setup.register("a", a.url, 5);
    setup.registry.deregister("shop", "b");
    await eventually(() => setup.service.endpoints[0]?.weight === 5 && ids(setup.service).length === 1, "the change");
    expect(setup.service.endpoints[0]?.pool.idleConnections).toBe(1);
    await outcomes(setup.service, 3);
    expect(a.connections).toHaveLength(1);
    expect(await (await b.connection(0)).peer.closing()).not.toBe("open");
  });

  test("takes an endpoint that moves to another address for another one", async () => {
    await using a = named("a");
    await using b = named("b");
    using setup = open();
    setup.register("one", a.url);
    await eventually(() => setup.service.endpoints.length === 1, "the first address");
    await outcomes(setup.service, 1);
    setup.register("one", b.url);
    await eventually(() => setup.service.endpoints[0]?.url === b.url, "the second address");
    expect(await outcomes(setup.service, 1)).toBe("b");
    expect(await (await a.connection(0)).peer.closing()).not.toBe("open");
  });

  test("lets what is in flight at an endpoint that leaves come to its end", async () => {
    const release = Promise.withResolvers<void>();
    await using slow = startUpstream(async (connection) => {
      await connection.request();
      await release.promise;
      await connection.send(ok("slow"));
    });
    using setup = open();
    setup.register("slow", slow.url);
    await eventually(() => setup.service.endpoints.length === 1, "the endpoint");
    const asked = forward(setup.service);
    await slow.taken(1);
    setup.registry.deregister("shop", "slow");
    await eventually(() => setup.service.endpoints.length === 0, "the endpoint to leave");
    release.resolve();
    expect((await asked).outcome).toBe("slow");
    expect(await (await slow.connection(0)).peer.closing()).not.toBe("open");
  });

  test("leaves out an endpoint whose URL it cannot use, says so, and uses the others", async () => {
    await using a = named("a");
    const registry = createStaticRegistry({ shop: [spec("bad", "ftp://x"), spec("good", a.url)] });
    const warnings: Warnings = [];
    const service = createService("shop", serviceOptions(), serviceDeps(registry, warnings));
    await service.ready;
    expect(ids(service)).toEqual(["good"]);
    expect(warnings).toEqual([expect.stringMatching(/URL.*"service":"shop","endpoint":"bad"/)]);
    service.close();
  });

  test("keeps what it knew when its registry fails, and says so", async () => {
    await using a = named("a");
    const failing: Registry = {
      async *watch() {
        yield [spec("a", a.url)];
        throw new Error("lost");
      },
    };
    const warnings: Warnings = [];
    const service = createService("shop", serviceOptions(), serviceDeps(failing, warnings));
    await service.ready;
    await eventually(() => warnings.length === 1, "the warning");
    expect(warnings[0]).toContain("lost");
    expect(await outcomes(service, 1)).toBe("a");
    service.close();
  });

  test("is ready, without endpoints, when its registry fails before it told any", async () => {
    const failing: Registry = {
      // biome-ignore lint/correctness/useYield: it fails first.
      async *watch() {
        throw new Error("lost");
      },
    };
    const service = createService("shop", serviceOptions(), serviceDeps(failing));
    await service.ready;
    expect((await forward(service)).outcome).toBe("no_endpoint");
    service.close();
  });

  test("stops watching when it is closed, without a warning", async () => {
    await using a = named("a");
    using setup = open();
    await setup.service.ready;
    setup.service.close();
    setup.register("a", a.url);
    await Bun.sleep(1);
    expect([ids(setup.service), setup.warnings]).toEqual([[], []]);
  });
});
