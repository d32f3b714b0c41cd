import { describe, expect, test } from "bun:test";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { metric } from "../gateway/support.ts";
import { connect, type RawClient } from "../support/client.ts";
import { request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { ok, startUpstream } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

const UNAVAILABLE = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/** A service whose requests are answered when the test says so, and with what. */
function startHeld() {
  const held: { readonly body: string; answer(text?: string): void }[] = [];
  const upstream = startUpstream(async (connection) => {
    for (;;) {
      const { body } = await connection.request(600_000);
      const { promise, resolve } = Promise.withResolvers<string>();
      held.push({ body: body.toString(), answer: (text = ok()) => resolve(text) });
      await connection.send(await promise);
    }
  });
  /** Answers the one that came so late, from 0 on, as soon as it is there; gives it. */
  const answer = async (at: number, ...text: readonly string[]) => {
    await eventually(() => held.length > at, `request ${at}`);
    const one = held[at];
    one?.answer(...text);
    return one;
  };
  return { upstream, held, answer };
}

const PLUGINS = [
  { use: "request-headers", with: { set: { "x-asked": "yes" } } },
  { use: "response-headers", with: { set: { "x-answered": "yes" } } },
];

function start(url: string, concurrency: object, route: object = {}): Promise<TestGateway> {
  return startGateway({
    routes: {
      services: { shop: { endpoints: [{ url }], concurrency } },
      routes: [{ name: "all", backends: [{ service: "shop" }], ...route }],
    },
  });
}

async function ask(gateway: TestGateway, text = request("GET /")): Promise<RawClient> {
  const client = await connect({ port: gateway.port });
  await client.send(text);
  return client;
}

async function state(gateway: TestGateway) {
  const { concurrency } = gateway.gateway.services.list()[0] ?? {};
  return { inFlight: concurrency?.inFlight, waiting: concurrency?.waiting("normal") };
}

function waits(gateway: TestGateway, count: number): Promise<void> {
  return eventually(async () => (await state(gateway)).waiting === count, `${count} to wait`);
}

describe("a request that waits for a service's limit", () => {
  test("goes through its plugins as any other", async () => {
    const { upstream, answer } = startHeld();
    await using _ = upstream;
    await using gateway = await start(upstream.url, { limit: 1, queue: { timeout: "30s" } }, { plugins: PLUGINS });
    using first = await ask(gateway);
    await upstream.taken(1);
    using second = await ask(gateway);
    using leaving = await ask(gateway);
    await waits(gateway, 2);
    leaving.peer.reset();
    await waits(gateway, 1);
    await answer(0);
    await upstream.taken(2);
    await answer(1);
    for (const client of [first, second]) {
      const { status, headers } = await client.response();
      expect(status).toBe(200);
      expect(headers.map(([name]) => name.toLowerCase())).toContain("x-answered");
    }
    expect(await state(gateway)).toEqual({ inFlight: 0, waiting: 0 });
  });

  test("is given up by its route's timeout, plugins or not", async () => {
    const { upstream } = startHeld();
    await using _ = upstream;
    const route = { plugins: PLUGINS, timeout: "200ms" };
    await using gateway = await start(upstream.url, { limit: 1, queue: { timeout: "30s" } }, route);
    using first = await ask(gateway);
    await upstream.taken(1);
    using second = await ask(gateway);
    expect([(await first.response()).status, (await second.response()).status]).toEqual([504, 504]);
    await eventually(
      async () => Bun.deepEquals(await state(gateway), { inFlight: 0, waiting: 0 }),
      "nobody to be left",
    );
  });

  test("is given up when its client's own time is over", async () => {
    const { upstream } = startHeld();
    await using _ = upstream;
    await using gateway = await start(upstream.url, { limit: 1, queue: { timeout: "30s" } });
    using first = await ask(gateway);
    await upstream.taken(1);
    using second = await ask(gateway, request("GET /", "x-request-timeout: 150ms"));
    expect((await second.response()).status).toBe(504);
    expect(await state(gateway)).toEqual({ inFlight: 1, waiting: 0 });
    expect(first.peer.state).toBe("open");
  });

  test("has its body sent whole when its turn comes", async () => {
    const { upstream, answer } = startHeld();
    await using _ = upstream;
    await using gateway = await start(upstream.url, { limit: 1, queue: { timeout: "30s" } });
    using first = await ask(gateway);
    await upstream.taken(1);
    const text = "0123456789".repeat(30_000);
    using second = await connect({ port: gateway.port });
    const sent = second.send(request("POST /", `Content-Length: ${text.length}`) + text);
    await waits(gateway, 1);
    await answer(0);
    await sent;
    await upstream.taken(2);
    expect((await answer(1))?.body).toBe(text);
    expect([(await first.response()).status, (await second.response()).status]).toEqual([200, 200]);
  });

  test("is one request with all its retries: they do not wait for each other", async () => {
    const { upstream, answer } = startHeld();
    await using _ = upstream;
    const retry = { attempts: 2, backoff: "0ms", budget: "100%" };
    await using gateway = await start(upstream.url, { limit: 1, queue: { timeout: "30s" } }, { retry });
    using first = await ask(gateway);
    await upstream.taken(1);
    using second = await ask(gateway);
    await waits(gateway, 1);
    await answer(0, UNAVAILABLE);
    await upstream.taken(2);
    expect(await state(gateway)).toEqual({ inFlight: 1, waiting: 1 });
    await answer(1);
    await upstream.taken(3);
    await answer(2);
    expect([(await first.response()).status, (await second.response()).status]).toEqual([200, 200]);
  });

  test("is dropped where everything is broken off", async () => {
    const { upstream } = startHeld();
    await using _ = upstream;
    const gateway = await start(upstream.url, { limit: 1, queue: { timeout: "30s" } });
    using first = await ask(gateway);
    await upstream.taken(1);
    using second = await ask(gateway);
    await waits(gateway, 1);
    const { concurrency } = gateway.gateway.services.list()[0] ?? {};
    await gateway.gateway.close();
    expect([concurrency?.inFlight, concurrency?.waiting("normal")]).toEqual([0, 0]);
    await eventually(() => [first, second].every(({ peer }) => peer.state !== "open"), "both connections to end");
    expect(upstream.requests).toHaveLength(1);
    await gateway[Symbol.asyncDispose]();
  });
});

function streamOf(session: ClientHttp2Session) {
  const stream = session.request({ ":path": "/", ":authority": "gw.test" });
  const { promise, resolve } = Promise.withResolvers<number>();
  stream.on("response", (headers) => resolve(headers[":status"] ?? 0));
  stream.on("error", () => resolve(0));
  stream.on("data", () => {});
  stream.end();
  return { stream, status: promise };
}

describe("streams of one HTTP/2 connection", () => {
  test("wait each for itself, and are forgotten when they are reset", async () => {
    const { upstream, answer } = startHeld();
    await using _ = upstream;
    await using gateway = await start(upstream.url, { limit: 1, queue: { timeout: "30s" } });
    const session = connectHttp2(gateway.url);
    const streams = Array.from({ length: 12 }, () => streamOf(session));
    await waits(gateway, 11);
    for (const { stream } of streams.slice(1, 11)) stream.close(8);
    await waits(gateway, 1);
    await answer(0);
    await upstream.taken(2);
    await answer(1);
    expect(await streams[0]?.status).toBe(200);
    expect(await streams[11]?.status).toBe(200);
    expect(upstream.requests).toHaveLength(2);
    session.destroy();
    expect(await state(gateway)).toEqual({ inFlight: 0, waiting: 0 });
  });
});

describe("clients that come and go without end", () => {
  test("leave nothing behind", async () => {
    const { upstream, held } = startHeld();
    await using _ = upstream;
    await using gateway = await start(upstream.url, { limit: 2, queue: { size: 8, timeout: "100ms" } });
    let answered = 0;
    const answering = setInterval(() => {
      for (; answered < held.length; answered++) held[answered]?.answer();
    }, 5);
    const statuses = new Map<number, number>();
    const one = async (at: number) => {
      using client = await ask(gateway);
      if (at % 3 === 0) return;
      const { status } = await client.response();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    };
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 40 }, (_one, at) => one(at)));
    await eventually(
      async () => Bun.deepEquals(await state(gateway), { inFlight: 0, waiting: 0 }),
      "nobody to be left",
    );
    clearInterval(answering);
    expect([...statuses.keys()].sort()).toEqual([200, 503]);
    const told = await Promise.all(
      ["queue_full", "queue_timeout"].map((reason) =>
        metric(gateway, `torii_concurrency_sheds_total{service="shop",reason="${reason}"}`).catch(() => 0),
      ),
    );
    // Of those that left at once some were shed before that was known.
    expect(told.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(statuses.get(503) ?? 0);
  });
});
