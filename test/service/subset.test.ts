import { describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers/promises";
import { createMemoryRegistry, type MemoryRegistry } from "../../src/registry/memory.ts";
import type { EndpointSpec } from "../../src/registry/registry.ts";
import type { ServiceOptions } from "../../src/service/options.ts";
import { createService, type Service } from "../../src/service/service.ts";
import { subsetName } from "../../src/service/subset.ts";
import { eventually } from "../support/load.ts";
import { closedPort } from "../support/unreachable.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { startPassthrough } from "../wire/l4/support.ts";
import { retrying } from "./retry-support.ts";
import { forward, outlierOptions, serviceDeps, serviceOptions, type Warnings } from "./support.ts";

type Facts = Partial<Pick<EndpointSpec, "version" | "tags" | "zone" | "load" | "weight">>;

interface Setup extends AsyncDisposable {
  readonly service: Service;
  readonly registry: MemoryRegistry;
  readonly warnings: Warnings;
  register(id: string, url: string, facts?: Facts): Promise<void>;
}

function open(options: Partial<ServiceOptions> = {}): Setup {
  const registry = createMemoryRegistry();
  const warnings: Warnings = [];
  const service = createService("shop", serviceOptions(options), serviceDeps(registry, warnings));
  const has = (id: string, facts: Facts) =>
    service.endpoints.some(
      (one) =>
        one.id === id && Object.entries(facts).every(([key, value]) => Bun.deepEquals(Reflect.get(one, key), value)),
    );
  return {
    service,
    registry,
    warnings,
    async register(id, url, facts = {}) {
      registry.register("shop", { id, url, weight: 1, ...facts }, 60_000);
      await eventually(() => has(id, facts), `${id} to be known`);
    },
    async [Symbol.asyncDispose]() {
      service.close();
      registry.close();
    },
  };
}

const named = (name: string): Upstream => startAnswering(() => ok(name));
const V2 = { version: "2", tags: [] };

async function outcomes(to: Pick<Service, "forward">, count: number): Promise<string> {
  const all: string[] = [];
  for (let i = 0; i < count; i++) all.push((await forward(to)).outcome);
  return all.sort().join("");
}

describe("a subset of a service", () => {
  test.each([
    ["of a version", { version: "2", tags: [] }, "bbcc"],
    ["with a tag", { version: null, tags: ["canary"] }, "aacc"],
    ["with two tags", { version: null, tags: ["canary", "big"] }, "aaaa"],
    ["of a version and with a tag", { version: "2", tags: ["canary"] }, "cccc"],
  ] as const)("%s has those endpoints alone", async (_, selector, expected) => {
    await using a = named("a");
    await using b = named("b");
    await using c = named("c");
    await using setup = open();
    await setup.register("a", a.url, { version: "1", tags: ["big", "canary"] });
    await setup.register("b", b.url, { version: "2" });
    await setup.register("c", c.url, { version: "2", tags: ["canary"] });
    const subset = setup.service.subset(selector);
    expect(await outcomes(subset, 4)).toBe(expected);
    expect(await outcomes(setup.service, 6)).toBe("aabbcc");
    expect([(await forward(subset)).exchange.decisions, (await forward(setup.service)).exchange.decisions]).toEqual([
      [{ policy: "subset", outcome: "chosen", about: subsetName(selector) }],
      null,
    ]);
    subset.close();
  });

  test("follows the registry: an endpoint of another version has left it", async () => {
    await using a = named("a");
    await using b = named("b");
    await using setup = open();
    const subset = setup.service.subset(V2);
    await setup.register("a", a.url, { version: "2" });
    expect(await outcomes(subset, 2)).toBe("aa");
    await setup.register("b", b.url, { version: "2" });
    expect(await outcomes(subset, 2)).toBe("ab");
    await setup.register("a", a.url, { version: "3" });
    expect(await outcomes(subset, 2)).toBe("bb");
    expect(a.connections).toHaveLength(1);
  });

  test("without endpoints says its name: 503 no_endpoint", async () => {
    await using a = named("a");
    await using setup = open();
    await setup.register("a", a.url, { version: "1" });
    const subset = setup.service.subset({ version: "2", tags: ["canary", "big"] });
    const { error, exchange } = await forward(subset);
    expect(error).toMatchObject({
      code: "no_endpoint",
      status: 503,
      message: "The service has no endpoint of version 2, tag canary, tag big.",
    });
    expect(exchange.service).toBe("shop");
  });

  test("shares connections with the service", async () => {
    await using a = named("a");
    await using setup = open();
    await setup.register("a", a.url, { version: "2" });
    const subset = setup.service.subset(V2);
    await outcomes(subset, 2);
    await outcomes(setup.service, 2);
    subset.close();
    await outcomes(setup.service, 2);
    expect(a.connections).toHaveLength(1);
  });

  test("keeps retries within it, and falls back to one that was tried", async () => {
    const sad = () => startAnswering(() => "HTTP/1.1 503 Sad\r\nContent-Length: 0\r\n\r\n");
    await using one = sad();
    await using two = sad();
    await using other = named("other");
    await using setup = open();
    await setup.register("one", one.url, { version: "2" });
    await setup.register("two", two.url, { version: "2" });
    await setup.register("other", other.url, { version: "1" });
    const subset = setup.service.subset(V2);
    const { outcome, exchange } = await forward(subset, { policy: retrying({ attempts: 3, budgetShare: 1 }) });
    expect([outcome, exchange.attempts]).toEqual(["503", 4]);
    expect([one.requests.length > 0, two.requests.length > 0, other.requests.length]).toEqual([true, true, 0]);
  });

  test("says its name too when it is empty by the time of a retry", async () => {
    await using setup = open();
    await using sad = startAnswering(() => {
      setup.registry.deregister("shop", "a");
      return "HTTP/1.1 503 Sad\r\nContent-Length: 0\r\n\r\n";
    });
    await setup.register("a", sad.url, { version: "2" });
    const subset = setup.service.subset(V2);
    const { error } = await forward(subset, { policy: retrying({ leastPauseMs: 100 }) });
    expect([error?.code, error?.message]).toEqual(["no_endpoint", "The service has no endpoint of version 2."]);
  });

  test("has outliers and breakers in common with the service", async () => {
    await using well = named("well");
    await using setup = open({ outliers: outlierOptions({ ejectForMs: 60_000, maxEjectedShare: 0.5 }) });
    await setup.register("dead", `http://127.0.0.1:${closedPort()}`, { version: "2" });
    await setup.register("well", well.url, { version: "2" });
    const subset = setup.service.subset(V2);
    const first = [(await forward(subset)).outcome, (await forward(subset)).outcome];
    expect(first.sort()).toEqual(["upstream_connect", "well"]);
    expect(await outcomes(setup.service, 4)).toBe("wellwellwellwell");
    expect(await outcomes(subset, 4)).toBe("wellwellwellwell");
    expect(setup.service.absences()).toEqual(new Map([["ejected", 1]]));
  });

  test("has a panic of its own", async () => {
    await using a = named("a");
    await using b = named("b");
    await using c = named("c");
    await using setup = open({ maxLoad: { cpu: 0.9, memory: null } });
    await setup.register("a", a.url, { version: "1" });
    await setup.register("b", b.url, { version: "1" });
    await setup.register("c", c.url, { version: "2", load: { cpu: 1 } });
    const subset = setup.service.subset(V2);
    // All of the subset are overloaded, so all are used; the service has others.
    expect(await outcomes(subset, 2)).toBe("cc");
    expect(await outcomes(setup.service, 4)).toBe("aabb");
  });

  test("is one for all that ask for it, until the last has closed it", async () => {
    await using a = named("a");
    await using setup = open();
    await setup.register("a", a.url, { version: "2", tags: ["x", "y"] });
    const first = setup.service.subset({ version: "2", tags: ["x", "y"] });
    const second = setup.service.subset({ version: "2", tags: ["y", "x", "y"] });
    expect(second.forward).toBe(first.forward);
    first.close();
    first.close();
    await setup.register("a", a.url, { version: "2", tags: ["x", "y"], weight: 2 });
    expect(await outcomes(second, 1)).toBe("a");
    second.close();
    const third = setup.service.subset({ version: "2", tags: ["x", "y"] });
    expect(third.forward).not.toBe(first.forward);
    third.close();
  });

  test("takes passages too, and says so when it has no endpoint", async () => {
    const greeting = (name: string) => startUpstream((connection) => connection.send(name));
    await using a = greeting("a");
    await using b = greeting("b");
    await using setup = open();
    await setup.register("a", a.url, { version: "1" });
    const subset = setup.service.subset(V2);
    await using l4 = startPassthrough({ onPassage: (passage) => subset.connect(passage) });
    await l4.connect();
    expect(await l4.ended()).toMatchObject({
      service: "shop",
      error: { code: "no_endpoint", message: "The service has no endpoint of version 2." },
    });
    await setup.register("b", b.url, { version: "2" });
    for (let i = 0; i < 3; i++) {
      const { peer } = await l4.connect();
      expect((await peer.take(1)).toString()).toBe("b");
      peer.reset();
      const { decisions } = await l4.ended(i + 2);
      expect(decisions).toEqual([{ policy: "subset", outcome: "chosen", about: "version 2" }]);
    }
  });
});

describe("what a registry tells anew of an endpoint", () => {
  test("makes another frozen object with the same connections", async () => {
    await using a = named("a");
    await using setup = open();
    await setup.register("a", a.url, { zone: "eu-1" });
    await outcomes(setup.service, 1);
    const before = setup.service.endpoints[0];
    await setup.register("a", a.url, { zone: "eu-2", version: "2", tags: ["x"], weight: 3, load: { cpu: 0.5 } });
    const after = setup.service.endpoints[0];
    expect(after).toMatchObject({ zone: "eu-2", version: "2", tags: ["x"], weight: 3, load: { cpu: 0.5 } });
    expect([after?.pool === before?.pool, after?.passages === before?.passages]).toEqual([true, true]);
    expect([Object.isFrozen(before), Object.isFrozen(after), before?.zone, before?.load]).toEqual([
      true,
      true,
      "eu-1",
      null,
    ]);
    await outcomes(setup.service, 1);
    expect(a.connections).toHaveLength(1);
  });

  test("begins no slow start, turn or ejection anew", async () => {
    await using a = named("a");
    await using b = named("b");
    await using setup = open({ outliers: outlierOptions({ ejectForMs: 60_000, maxEjectedShare: 0.5 }) });
    const dead = `http://127.0.0.1:${closedPort()}`;
    await setup.register("a", a.url);
    await setup.register("b", b.url);
    await setup.register("dead", dead, { load: { cpu: 0 } });
    for (let i = 0; i < 3; i++) await forward(setup.service);
    const found: string[] = [];
    for (let i = 1; i <= 6; i++) {
      await setup.register("dead", dead, { load: { cpu: i / 10 } });
      await setup.register("a", a.url, { load: { cpu: i / 10 } });
      found.push((await forward(setup.service)).outcome);
    }
    expect(["ababab", "bababa"]).toContain(found.join(""));
  });

  test("is said once of a URL that leads nowhere", async () => {
    await using setup = open({ protocol: "h2" });
    setup.registry.register("shop", { id: "bad", url: "http://127.0.0.1:1", weight: 1 }, 60_000);
    await eventually(() => setup.warnings.length > 0, "the warning");
    const fine = { id: "worse", url: "http://127.0.0.1:2", weight: 1 };
    for (let i = 1; i < 5; i++) {
      setup.registry.register("shop", { ...fine, load: { cpu: i / 10 } }, 60_000);
      await setImmediate();
    }
    await eventually(() => setup.warnings.length === 2, "the other");
    expect(setup.warnings.map((text) => /"endpoint":"(\w+)"/.exec(text)?.[1])).toEqual(["bad", "worse"]);
  });

  test("of load takes it out within the same set, however many change at once", async () => {
    await using a = named("a");
    await using b = named("b");
    await using setup = open({ maxLoad: { cpu: 0.9, memory: 0.9 } });
    await setup.register("a", a.url, { load: { cpu: 0.95 } });
    await setup.register("b", b.url, { load: { memory: 0.5 } });
    expect(await outcomes(setup.service, 3)).toBe("bbb");
    expect(setup.service.absences()).toEqual(new Map([["overloaded", 1]]));
    await setup.register("b", b.url, { load: { memory: 0.95 } });
    expect(setup.service.isPanic).toBe(true);
    expect(await outcomes(setup.service, 4)).toBe("aabb");
    await setup.register("a", a.url, { load: { cpu: 0.5 } });
    expect(await outcomes(setup.service, 3)).toBe("aaa");
  });
});

describe("a service in a zone", () => {
  test("keeps requests there, spills over, and has no panic while others can stand in", async () => {
    await using near = named("n");
    await using far = named("f");
    await using farther = named("g");
    await using setup = open({ zone: "eu-1", maxLoad: { cpu: 0.9, memory: null }, panicPercent: 80 });
    await setup.register("near", near.url, { zone: "eu-1" });
    await setup.register("far", far.url, { zone: "eu-2" });
    await setup.register("farther", farther.url);
    expect(await outcomes(setup.service, 4)).toBe("nnnn");
    expect(setup.service.zoneShare).toBe(1);
    await setup.register("near", near.url, { zone: "eu-1", load: { cpu: 1 } });
    expect([setup.service.isPanic, setup.service.zoneShare]).toEqual([false, 0]);
    expect(await outcomes(setup.service, 4)).toBe("ffgg");
    const spilled = await forward(setup.service);
    expect(spilled.exchange.decisions).toMatchObject([{ policy: "zone", outcome: "left" }]);
    await setup.register("near", near.url, { zone: "eu-1", load: { cpu: 0.1 } });
    expect((await forward(setup.service)).exchange.decisions).toBeNull();
    expect(await outcomes(setup.service, 4)).toBe("nnnn");
    // An endpoint that moves keeps its connections.
    await setup.register("far", far.url, { zone: "eu-1" });
    expect(await outcomes(setup.service, 4)).toBe("ffnn");
    expect([near.connections.length, far.connections.length]).toEqual([1, 1]);
  });
});
