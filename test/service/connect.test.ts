import { describe, expect, test } from "bun:test";
import type { EndpointSpec } from "../../src/registry/registry.ts";
import { createStaticRegistry } from "../../src/registry/static.ts";
import type { ServiceOptions } from "../../src/service/options.ts";
import { createService, type Service } from "../../src/service/service.ts";
import { eventually } from "../support/load.ts";
import { closedPort, startBlackhole } from "../support/unreachable.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { startPassthrough, type TestPassthrough } from "../wire/l4/support.ts";
import { serviceDeps, serviceOptions, spec } from "./support.ts";

/** Says its name, and then holds the connection. */
function named(name: string): Upstream {
  return startUpstream((connection) => connection.send(name));
}

interface Setup extends AsyncDisposable {
  readonly l4: TestPassthrough;
  readonly service: Service;
  /** The name of the endpoint that a new connection leads to, and how to close it. */
  reach(): Promise<{ readonly name: string; close(): void }>;
}

async function open(
  endpoints: readonly EndpointSpec[],
  options: Partial<ServiceOptions> = {},
  random: () => number = Math.random,
): Promise<Setup> {
  const deps = { ...serviceDeps(createStaticRegistry({ shop: endpoints })), random };
  const service = createService("shop", serviceOptions(options), deps);
  await service.ready;
  const l4 = startPassthrough({ onPassage: (passage) => service.connect(passage) });
  return {
    l4,
    service,
    async reach() {
      const { peer } = await l4.connect();
      return { name: (await peer.take(1)).toString(), close: () => peer.reset() };
    },
    async [Symbol.asyncDispose]() {
      await l4[Symbol.asyncDispose]();
      service.close();
    },
  };
}

const refusing = (id: string): EndpointSpec => spec(id, `http://127.0.0.1:${closedPort()}`);
const inFlight = ({ service }: Setup) => service.endpoints.map(({ pool }) => pool.inFlight);

describe("a passage through a service", () => {
  test("leads to an endpoint, and tells which", async () => {
    await using a = named("a");
    await using setup = await open([spec("one", a.url)]);
    const { name, close } = await setup.reach();
    expect(name).toBe("a");
    close();
    expect(await setup.l4.ended()).toMatchObject({ service: "shop", endpoint: "one", attempts: 1 });
  });

  test("is in flight at its endpoint from the dial to its end", async () => {
    await using a = named("a");
    await using setup = await open([spec("one", a.url)]);
    const first = await setup.reach();
    const second = await setup.reach();
    expect(inFlight(setup)).toEqual([2]);
    first.close();
    await setup.l4.ended(1);
    expect(inFlight(setup)).toEqual([1]);
    second.close();
    await setup.l4.ended(2);
    expect(inFlight(setup)).toEqual([0]);
  });

  test("goes by turns under round_robin", async () => {
    await using a = named("a");
    await using b = named("b");
    await using setup = await open([spec("one", a.url), spec("two", b.url)]);
    const names: string[] = [];
    for (let i = 0; i < 4; i++) names.push((await setup.reach()).name);
    expect(names.join("")).toBe("abab");
  });

  test("goes where the fewest are under least_request", async () => {
    await using a = named("a");
    await using b = named("b");
    let turn = 0;
    // Each pair of draws names both endpoints, the first one first.
    const random = () => (turn++ % 2) / 2;
    const endpoints = [spec("one", a.url), spec("two", b.url)];
    await using setup = await open(endpoints, { balancer: "least_request" }, random);
    const first = await setup.reach();
    expect(first.name).toBe("a");
    expect((await setup.reach()).name).toBe("b");
    expect((await setup.reach()).name).toBe("a");
    expect((await setup.reach()).name).toBe("b");
    first.close();
    await setup.l4.ended();
    expect((await setup.reach()).name).toBe("a");
  });

  test("to an endpoint over https passes bytes as they are", async () => {
    await using a = named("a");
    await using setup = await open([spec("one", a.url.replace("http:", "https:"))]);
    expect((await setup.reach()).name).toBe("a");
  });
});

describe("an endpoint that cannot be reached", () => {
  test("is passed over for another", async () => {
    await using c = named("c");
    await using setup = await open([refusing("one"), refusing("two"), spec("three", c.url)]);
    const { name, close } = await setup.reach();
    expect(name).toBe("c");
    close();
    expect(await setup.l4.ended()).toMatchObject({ endpoint: "three", attempts: 3, error: { code: "client_closed" } });
    expect(inFlight(setup)).toEqual([0, 0, 0]);
  });

  test("leaves its key's passages to all the others, not to one of them", async () => {
    await using a = named("a");
    await using b = named("b");
    await using c = named("c");
    await using d = named("d");
    const endpoints = [a, b, c, d].map(({ url }, at) => spec("abcd".charAt(at), url));
    const options = { balancer: "consistent_hash", hashBy: { source: "ip", name: "" } } as const;
    await using setup = await open(endpoints, options);
    const own = (await setup.reach()).name;
    expect((await setup.reach()).name).toBe(own);
    await [a, b, c, d]["abcd".indexOf(own)]?.[Symbol.asyncDispose]();
    const names = new Set<string>();
    for (let i = 0; i < 20; i++) names.add((await setup.reach()).name);
    expect([...names].toSorted().join("")).toBe("abcd".replace(own, ""));
  });

  test("is passed over when it does not answer in time", async () => {
    using hole = await startBlackhole();
    await using b = named("b");
    const timeouts = { connectMs: 100, responseMs: 0, idleMs: 0 };
    const endpoints = [spec("one", `http://127.0.0.1:${hole.port}`), spec("two", b.url)];
    await using setup = await open(endpoints, { timeouts });
    expect((await setup.reach()).name).toBe("b");
  });

  test("ends the passage with a reset when three have failed", async () => {
    await using d = named("d");
    await using setup = await open([refusing("one"), refusing("two"), refusing("three"), spec("four", d.url)]);
    const { peer } = await setup.l4.connect();
    expect(await peer.closing()).toBe("reset");
    expect(await setup.l4.ended()).toMatchObject({ attempts: 3, error: { code: "upstream_connect" } });
    expect(d.connections).toHaveLength(0);
  });

  test("is not tried twice when it is the only one", async () => {
    await using setup = await open([refusing("one")]);
    await setup.l4.connect();
    expect(await setup.l4.ended()).toMatchObject({ attempts: 1, error: { code: "upstream_connect" } });
    expect(inFlight(setup)).toEqual([0]);
  });

  test("is let go of when the client leaves", async () => {
    using hole = await startBlackhole();
    await using b = named("b");
    const endpoints = [spec("one", `http://127.0.0.1:${hole.port}`), spec("two", b.url)];
    await using setup = await open(endpoints);
    const { peer } = await setup.l4.connect();
    await eventually(() => inFlight(setup)[0] === 1, "the dial");
    peer.reset();
    expect(await setup.l4.ended()).toMatchObject({ attempts: 1, error: { code: "client_closed" } });
    expect(inFlight(setup)).toEqual([0, 0]);
    expect(b.connections).toHaveLength(0);
  });
});

describe("no endpoint", () => {
  test.each([
    ["without any", []],
    ["where all have weight 0", [spec("one", "http://127.0.0.1:1", 0)]],
  ])("%s ends the passage", async (_name, endpoints) => {
    await using setup = await open(endpoints);
    const { peer } = await setup.l4.connect();
    expect(await peer.closing()).toBe("reset");
    expect(await setup.l4.ended()).toMatchObject({ endpoint: null, attempts: 0, error: { code: "no_endpoint" } });
  });

  test("is left when all have as many connections as they may, until one ends", async () => {
    await using a = named("a");
    await using b = named("b");
    await using setup = await open([spec("one", a.url), spec("two", b.url)], { maxConnections: 1 });
    const first = await setup.reach();
    await setup.reach();
    const { peer } = await setup.l4.connect();
    expect(await peer.closing()).toBe("reset");
    expect((await setup.l4.ended()).error?.code).toBe("overloaded");
    first.close();
    await setup.l4.ended(2);
    expect((await setup.reach()).name).toBe(first.name);
  });
});
