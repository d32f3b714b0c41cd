import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { metric } from "../gateway/support.ts";
import { startReady } from "../supervisor/support.ts";
import { connect, type RawClient } from "../support/client.ts";
import { request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { ok, startUpstream, type Upstream } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

// Loads of seconds, on machines that do other things too.
setDefaultTimeout(60_000);

interface Pace {
  /** Requests that are worked at, at once. */
  readonly capacity: number;
  readonly serviceMs: number;
}

/** A service that works at so many requests at once, each for so long; others wait in line. */
function startPaced({ capacity, serviceMs }: Pace): Upstream & { readonly most: () => number } {
  let busy = 0;
  let most = 0;
  let inside = 0;
  const line: (() => void)[] = [];
  const work = async () => {
    most = Math.max(most, ++inside);
    if (busy >= capacity) await new Promise<void>((resolve) => line.push(resolve));
    else busy++;
    await Bun.sleep(serviceMs);
    const next = line.shift();
    if (next === undefined) busy--;
    else next();
    inside--;
  };
  const upstream = startUpstream(async (connection) => {
    for (;;) {
      await connection.request(600_000);
      await work();
      await connection.send(ok());
    }
  });
  return { ...upstream, most: () => most };
}

/** A service whose requests are answered when the test says so, in the order that they came. */
function startHeld() {
  const held: { readonly path: string; answer(): void }[] = [];
  const upstream = startUpstream(async (connection) => {
    for (;;) {
      const { target } = await connection.request(600_000);
      const { promise, resolve } = Promise.withResolvers<void>();
      held.push({ path: target, answer: resolve });
      await promise;
      await connection.send(ok(target));
    }
  });
  /** Answers the one that came so late, from 0 on, as soon as it is there; gives its path. */
  const answer = async (at: number) => {
    await eventually(() => held.length > at, `request ${at}`);
    held[at]?.answer();
    return held[at]?.path;
  };
  return { upstream, held, answer };
}

const PRIORITIES = ["low", "normal", "high"] as const;

function start(url: string, concurrency: object, more: object = {}): Promise<TestGateway> {
  return startGateway({
    routes: routesOf(url, concurrency, more),
  });
}

function routesOf(url: string, concurrency: object, more: object = {}) {
  return {
    services: { shop: { endpoints: [{ url }], concurrency, ...more } },
    routes: PRIORITIES.map((priority) => ({
      name: priority,
      priority,
      matches: [{ path: `/${priority}` }],
      backends: [{ service: "shop" }],
    })),
  };
}

interface Measured {
  readonly status: number;
  readonly tookMs: number;
}

interface Load {
  stop(): Promise<readonly Measured[]>;
}

/** So many clients that ask again as soon as they are answered, or a moment after they were refused. */
async function startClients(port: number, count: number, path: string): Promise<Load> {
  const all: Measured[] = [];
  let isStopped = false;
  const clients = await Promise.all(Array.from({ length: count }, () => connect({ port })));
  const work = async (client: RawClient) => {
    while (!isStopped) {
      const startedAt = performance.now();
      await client.send(request(`GET ${path}`));
      const { status } = await client.response();
      all.push({ status, tookMs: performance.now() - startedAt });
      if (status !== 200) await Bun.sleep(20);
    }
    client.peer.reset();
  };
  const workers = clients.map(work);
  return {
    async stop() {
      isStopped = true;
      await Promise.all(workers);
      return all;
    },
  };
}

function percentile(load: readonly Measured[], share: number): number {
  const times = load.filter(({ status }) => status === 200).map(({ tookMs }) => tookMs);
  return times.sort((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN;
}

const answered = (load: readonly Measured[]) => load.filter(({ status }) => status === 200).length;

async function ask(gateway: TestGateway, path: string): Promise<RawClient> {
  const client = await connect({ port: gateway.port });
  await client.send(request(`GET ${path}`));
  return client;
}

const waiting = (gateway: TestGateway, priority: string) =>
  metric(gateway, `torii_concurrency_queue_length{service="shop",priority="${priority}"}`);

describe("an adaptive limit before a service that does twenty at once", () => {
  test("bounds how long those wait that are served, and lets the service do all that it can", async () => {
    await using upstream = startPaced({ capacity: 20, serviceMs: 50 });
    await using gateway = await start(upstream.url, { adaptive: {}, queue: { size: 64, timeout: "200ms" } });
    const load = await startClients(gateway.port, 200, "/normal");
    await Bun.sleep(3000);
    const startedAt = performance.now();
    const before = upstream.requests.length;
    await Bun.sleep(4000);
    const perSecond = ((upstream.requests.length - before) * 1000) / (performance.now() - startedAt);
    const limit = await metric(gateway, 'torii_concurrency_limit{service="shop"}');
    const seen = await load.stop();
    expect([...new Set(seen.map(({ status }) => status))].sort()).toEqual([200, 503]);
    // Without a limit each of the 200 would wait for half a second: ten times what its work takes.
    expect(percentile(seen, 0.5)).toBeLessThan(400);
    expect(upstream.most()).toBeLessThan(90);
    // Who comes next does not wait for the connection of who was before, so there may be one more.
    expect(upstream.connections.length).toBeLessThanOrEqual(upstream.most() + 2);
    expect(limit).toBeGreaterThan(15);
    expect(limit).toBeLessThan(80);
    expect(perSecond).toBeGreaterThan(200);
  });

  test("serves high before the others under the same load", async () => {
    await using upstream = startPaced({ capacity: 20, serviceMs: 50 });
    await using gateway = await start(upstream.url, { adaptive: {}, queue: { size: 64, timeout: "200ms" } });
    const loads = await Promise.all([
      startClients(gateway.port, 15, "/high"),
      startClients(gateway.port, 80, "/normal"),
      startClients(gateway.port, 80, "/low"),
    ]);
    await Bun.sleep(4000);
    const [high = [], normal = [], low = []] = await Promise.all(loads.map((load) => load.stop()));
    expect(answered(high) / high.length).toBeGreaterThan(0.95);
    expect(answered(normal)).toBeGreaterThan(answered(low));
    expect(answered(normal) / normal.length).toBeLessThan(answered(high) / high.length);
  });
});

describe("the queue of a service", () => {
  test("serves by priority, and tells in the access log and the metrics who waited", async () => {
    const { upstream, answer } = startHeld();
    await using _ = upstream;
    await using gateway = await start(upstream.url, { limit: 1, queue: { timeout: "30s" } });
    using first = await ask(gateway, "/normal");
    await upstream.taken(1);
    using low = await ask(gateway, "/low");
    await eventually(async () => (await waiting(gateway, "low")) === 1, "low to wait");
    using high = await ask(gateway, "/high");
    await eventually(async () => (await waiting(gateway, "high")) === 1, "high to wait");
    await answer(0);
    expect((await first.response()).status).toBe(200);
    await upstream.taken(2);
    expect(await answer(1)).toBe("/high");
    await upstream.taken(3);
    await answer(2);
    expect([(await high.response()).status, (await low.response()).status]).toEqual([200, 200]);
    const line = await gateway.logged(({ route }) => route === "high");
    expect(line["decisions"]).toEqual([
      { policy: "concurrency", outcome: "queued", about: expect.stringMatching(/^\d+ms$/) },
    ]);
    expect(await metric(gateway, 'torii_concurrency_waits_total{service="shop",priority="high"}')).toBe(1);
    expect(await metric(gateway, 'torii_concurrency_in_flight{service="shop"}')).toBe(0);
  });

  test("refuses with a problem that says when to come again", async () => {
    const { upstream, answer } = startHeld();
    await using _ = upstream;
    await using gateway = await start(upstream.url, { limit: 1, queue: { timeout: "50ms" } });
    using first = await ask(gateway, "/normal");
    await upstream.taken(1);
    const refused = await gateway.exchange(request("GET /high"));
    expect([refused.status, header(refused, "retry-after")]).toEqual([503, "1"]);
    expect(JSON.parse(refused.body.toString())).toMatchObject({
      type: "urn:torii:problem:overloaded",
      route: "high",
      service: "shop",
    });
    const line = await gateway.logged(({ route }) => route === "high");
    expect(line).toMatchObject({ attempts: 0, endpoint: null, flags: ["overloaded"] });
    expect(line["decisions"]).toEqual([{ policy: "concurrency", outcome: "queue_timeout" }]);
    expect(await metric(gateway, 'torii_concurrency_sheds_total{service="shop",reason="queue_timeout"}')).toBe(1);
    expect(gateway.log.filter(({ msg }) => String(msg).startsWith("requests shed"))).toHaveLength(1);
    await answer(0);
    expect((await first.response()).status).toBe(200);
  });

  test("keeps within a route's timeout", async () => {
    const { upstream } = startHeld();
    await using _ = upstream;
    const routes = routesOf(upstream.url, { limit: 1, queue: { timeout: "30s" } });
    await using gateway = await startGateway({
      routes: { ...routes, routes: routes.routes.map((route) => ({ ...route, timeout: "300ms" })) },
    });
    using first = await ask(gateway, "/normal");
    await upstream.taken(1);
    using second = await ask(gateway, "/normal");
    expect([(await first.response()).status, (await second.response()).status]).toEqual([504, 504]);
    expect(upstream.requests.length).toBeLessThanOrEqual(2);
  });

  test("loses clients that leave, sends none of theirs, and blames no endpoint", async () => {
    const { upstream, answer } = startHeld();
    await using _ = upstream;
    const guarded = { outlierDetection: { consecutiveFailures: 1 }, circuitBreaker: { minRequests: 1 } };
    await using gateway = await start(upstream.url, { limit: 1, queue: { timeout: "30s" } }, guarded);
    using first = await ask(gateway, "/normal");
    await upstream.taken(1);
    const leaving = await Promise.all(Array.from({ length: 20 }, () => ask(gateway, "/normal")));
    using last = await ask(gateway, "/low");
    await eventually(async () => (await waiting(gateway, "normal")) === 20, "all to wait");
    for (const client of leaving) client.peer.reset();
    await eventually(async () => (await waiting(gateway, "normal")) === 0, "all to be forgotten");
    await answer(0);
    await upstream.taken(2);
    expect(await answer(1)).toBe("/low");
    expect([(await first.response()).status, (await last.response()).status]).toEqual([200, 200]);
    const line = await gateway.logged(({ status }) => status === 499);
    expect(line["decisions"]).toEqual([{ policy: "concurrency", outcome: "gave_up" }]);
    expect(await metric(gateway, 'torii_circuit_breaker_state{service="shop"}')).toBe(0);
    expect(await metric(gateway, 'torii_concurrency_in_flight{service="shop"}')).toBe(0);
  });

  test("is kept by a reload that keeps the service, and runs out where the service changes", async () => {
    const { upstream, answer } = startHeld();
    await using _ = upstream;
    const concurrency = { limit: 1, queue: { timeout: "30s" } };
    await using gateway = await start(upstream.url, concurrency);
    using first = await ask(gateway, "/normal");
    await upstream.taken(1);
    using second = await ask(gateway, "/normal");
    await eventually(async () => (await waiting(gateway, "normal")) === 1, "one to wait");
    const same = routesOf(upstream.url, concurrency);
    await gateway.write("routes/main.yaml", JSON.stringify({ ...same, routes: same.routes.slice(1) }));
    expect((await gateway.gateway.reload()).isLive).toBe(true);
    using third = await ask(gateway, "/normal");
    await eventually(async () => (await waiting(gateway, "normal")) === 2, "two to wait");
    await gateway.write("routes/main.yaml", JSON.stringify(routesOf(upstream.url, { limit: 2 })));
    expect((await gateway.gateway.reload()).isLive).toBe(true);
    // The service with its new options has a limit of its own.
    using fourth = await ask(gateway, "/normal");
    await upstream.taken(2);
    for (let i = 0; i < 4; i++) {
      await upstream.taken(i + 1);
      await answer(i);
    }
    for (const client of [first, second, third, fourth]) expect((await client.response()).status).toBe(200);
    expect(await metric(gateway, 'torii_concurrency_limit{service="shop"}')).toBe(2);
  });

  test("runs out while the gateway drains", async () => {
    const { upstream, answer } = startHeld();
    await using _ = upstream;
    await using gateway = await startGateway({
      torii: {
        listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
        status: { address: "127.0.0.1", port: 0 },
        shutdown: { delay: "0s", timeout: "10s" },
      },
      routes: routesOf(upstream.url, { limit: 1, queue: { timeout: "30s" } }),
    });
    using first = await ask(gateway, "/normal");
    await upstream.taken(1);
    using second = await ask(gateway, "/normal");
    await eventually(async () => (await waiting(gateway, "normal")) === 1, "one to wait");
    const drained = gateway.gateway.drain();
    await answer(0);
    await upstream.taken(2);
    await answer(1);
    expect([(await first.response()).status, (await second.response()).status]).toEqual([200, 200]);
    await drained;
  });

  test("does not count WebSockets, which stay open", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\nhello");
    });
    await using gateway = await start(upstream.url, { limit: 1 });
    for (let i = 0; i < 3; i++) {
      const client = await connect({ port: gateway.port });
      await client.send(request("GET /normal", "Upgrade: chat", "Connection: Upgrade"));
      await client.peer.until(() => client.peer.text.includes("hello"), "a greeting");
    }
    expect(await metric(gateway, 'torii_concurrency_in_flight{service="shop"}')).toBe(0);
  });

  test("does not count streams of events, which stay open", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    });
    await using gateway = await start(upstream.url, { limit: 1 });
    using one = await ask(gateway, "/normal");
    await one.peer.until(() => one.peer.text.includes("data: 1"), "an event");
    using two = await ask(gateway, "/normal");
    await two.peer.until(() => two.peer.text.includes("data: 1"), "an event");
    expect(await metric(gateway, 'torii_concurrency_in_flight{service="shop"}')).toBe(0);
  });
});

describe("two workers", () => {
  test("have a limit each, and tell them as one", async () => {
    const { upstream, held } = startHeld();
    await using _ = upstream;
    const routes = {
      services: { shop: { endpoints: [{ url: upstream.url }], concurrency: { limit: 1 } } },
      routes: [{ name: "shop", matches: [{ path: "/shop" }], backends: [{ service: "shop" }] }],
    };
    await using workers = await startReady({ files: { "routes/shop.yaml": JSON.stringify(routes) } });
    const clients: RawClient[] = [];
    // Which worker accepts a connection is the kernel's choice.
    while (held.length < 2) {
      const client = await connect({ port: workers.port });
      await client.send(request("GET /shop"));
      clients.push(client);
      const refusals = () => clients.filter(({ peer }) => peer.text.includes(" 503 ")).length;
      await eventually(() => held.length + refusals() === clients.length, "the request to be in or out");
    }
    expect(await workers.metric("torii_concurrency_limit")).toBe(2);
    expect(await workers.metric("torii_concurrency_in_flight")).toBe(2);
    expect(await workers.metric("torii_concurrency_sheds_total")).toBe(clients.length - 2 || null);
    for (const { answer } of held) answer();
    for (const client of clients) expect([200, 503]).toContain((await client.response()).status);
  });
});
