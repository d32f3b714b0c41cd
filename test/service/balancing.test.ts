import { describe, expect, test } from "bun:test";
import { createStaticRegistry } from "../../src/registry/static.ts";
import type { ServiceOptions } from "../../src/service/options.ts";
import { createService, type Service } from "../../src/service/service.ts";
import { closedPort } from "../support/unreachable.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { startPassthrough } from "../wire/l4/support.ts";
import { type Forwarded, forward, serviceDeps, serviceOptions, spec } from "./support.ts";

const NAMES = ["a", "b", "c", "d"];

interface Setup extends AsyncDisposable {
  readonly service: Service;
}

/** A service of upstreams that answer with their names. */
async function open(options: Partial<ServiceOptions>, start = named): Promise<Setup> {
  const upstreams = NAMES.map(start);
  const specs = upstreams.map(({ url }, at) => spec(NAMES[at] ?? "", url));
  const deps = serviceDeps(createStaticRegistry({ shop: specs }));
  const service = createService("shop", serviceOptions(options), deps);
  await service.ready;
  return {
    service,
    async [Symbol.asyncDispose]() {
      service.close();
      await Promise.all(upstreams.map((upstream) => upstream.close()));
    },
  };
}

function named(name: string): Upstream {
  return startAnswering(() => ok(name));
}

const outcome = async (sent: Promise<Forwarded>) => (await sent).outcome;

describe("a service with consistent_hash", () => {
  test("sends requests of one key to one endpoint, and those of many keys to all", async () => {
    const hashBy = { source: "header", name: "x-user" } as const;
    await using setup = await open({ balancer: "consistent_hash", hashBy });
    const to = (user: string) => outcome(forward(setup.service, { fields: [`X-User: ${user}`] }));
    const found = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const first = await to(`user-${i}`);
      expect(await to(`user-${i}`)).toBe(first);
      found.add(first);
    }
    expect([...found].sort()).toEqual(NAMES);
  });

  test("sends requests without a key anywhere", async () => {
    const hashBy = { source: "cookie", name: "session" } as const;
    await using setup = await open({ balancer: "consistent_hash", hashBy });
    const found = new Set<string>();
    for (let i = 0; i < 60; i++) found.add(await outcome(forward(setup.service)));
    expect([...found].sort()).toEqual(NAMES);
  });

  test("leads the connections of one client's address to one endpoint", async () => {
    const hashBy = { source: "ip", name: "" } as const;
    const greeting = (name: string) => startUpstream((connection) => connection.send(name));
    await using setup = await open({ balancer: "consistent_hash", hashBy }, greeting);
    await using l4 = startPassthrough({ onPassage: (passage) => setup.service.connect(passage) });
    const found = new Set<string>();
    for (let i = 0; i < 6; i++) {
      const { peer } = await l4.connect();
      found.add((await peer.take(1)).toString());
      peer.reset();
      await l4.ended();
    }
    expect(found.size).toBe(1);
  });
});

describe("a service with peak_ewma", () => {
  test("turns from an endpoint that refuses connections, though it does so at once", async () => {
    await using a = named("a");
    const specs = [spec("a", a.url), spec("dead", `http://127.0.0.1:${closedPort()}`)];
    // Draws the first, then the second, and so on: every pick has the choice.
    let draws = 0;
    const random = () => (draws++ % 2) / 2;
    const deps = { ...serviceDeps(createStaticRegistry({ shop: specs })), random };
    const service = createService("shop", serviceOptions({ balancer: "peak_ewma" }), deps);
    await service.ready;
    const found: string[] = [];
    for (let i = 0; i < 20; i++) found.push(await outcome(forward(service)));
    service.close();
    expect(found.filter((each) => each === "upstream_connect")).toHaveLength(1);
    expect(found.filter((each) => each === "a")).toHaveLength(19);
  });

  test("turns from an endpoint whose answers take longer", async () => {
    // Held until the other has answered many times: longer than each took, whatever the machine does.
    const slow = Promise.withResolvers<void>();
    await using a = named("a");
    await using b = startUpstream(async (connection) => {
      await connection.request();
      await slow.promise;
      await connection.send(ok("b"));
    });
    let draws = 0;
    const random = () => (draws++ % 2) / 2;
    const specs = [spec("b", b.url), spec("a", a.url)];
    const deps = { ...serviceDeps(createStaticRegistry({ shop: specs })), random };
    const service = createService("shop", serviceOptions({ balancer: "peak_ewma" }), deps);
    await service.ready;
    const held = outcome(forward(service));
    await b.taken(1);
    for (let i = 0; i < 2000; i++) expect(await outcome(forward(service))).toBe("a");
    slow.resolve();
    expect(await held).toBe("b");
    for (let i = 0; i < 5; i++) expect(await outcome(forward(service))).toBe("a");
    service.close();
  });
});
