import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { startReady, type Workers } from "../supervisor/support.ts";
import { connect, type RawClient } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { openEchoSocket } from "../support/streams.ts";

setDefaultTimeout(60_000);

/** Answers at once, or begins at once and lasts as long as it is told to. */
function routes(options: Readonly<Record<string, unknown>>): string {
  return `
const encoder = new TextEncoder();
export default { routes: [{ name: "api", matches: [{ path: "/*" }], plugins: [
  { use: "concurrency-limit", with: ${JSON.stringify({ name: "flights", limit: 4, by: "route", ...options })} },
  { use: (c) => {
    const ms = Number(c.req.header("x-ms") ?? 0);
    if (ms === 0) return c.text("ok");
    return new Response(new ReadableStream({
      async start(controller) {
        controller.enqueue(encoder.encode("begun"));
        await Bun.sleep(ms);
        try { controller.close(); } catch {}
      },
    }));
  } },
] }] };`;
}

function start(redis: RedisProcess | null, options = {}, workers = 1): Promise<Workers> {
  return startReady({
    workers,
    torii: { redis: redis?.url ?? "", telemetry: { accessLog: { enabled: false } } },
    files: { "routes/main.ts": routes(options) },
  });
}

/** Begins a request that lasts; resolves with its client when its head is there. */
async function begin({ port }: Workers, ms: number): Promise<{ readonly client: RawClient; readonly status: number }> {
  const client = await connect({ port });
  await client.send(`GET / HTTP/1.1\r\nHost: a\r\nx-ms: ${ms}\r\n\r\n`);
  const { status } = await client.head();
  return { client, status };
}

async function statusOf({ port }: Workers): Promise<number> {
  using client = await connect({ port });
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  return (await client.response()).status;
}

/** Begins so many, some of which may have to wait for slots that others hold to spare. */
async function fill(gateway: Workers, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  await eventually(
    async () => {
      const { client, status } = await begin(gateway, 60_000);
      if (status === 200) clients.push(client);
      else client.peer.reset();
      return clients.length === count;
    },
    `${count} in flight`,
    20_000,
  );
  return clients;
}

function echoService(): AsyncDisposable & { readonly port: number } {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, own) => (own.upgrade(request) ? undefined : new Response("ok")),
    websocket: { message: (socket, text) => void socket.send(text) },
  });
  return { port: server.port ?? 0, [Symbol.asyncDispose]: () => server.stop(true) };
}

describe("a limit of what is in flight", () => {
  test("holds over two gateways, and slots are free when responses end or clients leave", async () => {
    await using redis = await startRedis();
    await using one = await start(redis);
    await using two = await start(redis);
    const clients = [...(await fill(one, 2)), ...(await fill(two, 2))];
    expect([await statusOf(one), await statusOf(two)]).toEqual([429, 429]);
    using refused = await connect({ port: one.port });
    await refused.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const { headers } = await refused.response();
    const fields = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(fields.get("retry-after")).toBe("1");
    expect(fields.get("ratelimit-policy")).toBe('"flights";q=4;qu="concurrent-requests"');
    for (const client of clients.slice(0, 2)) client.peer.reset();
    await eventually(async () => (await statusOf(two)) === 200, "a slot that a client left, at the other", 5000);
    for (const client of clients.slice(2)) client.peer.reset();
    await eventually(async () => (await one.metric("torii_concurrency_limit_in_flight")) === 0, "nothing in flight");
    await eventually(async () => (await two.metric("torii_concurrency_limit_in_flight")) === 0, "nothing in flight");
    for (const key of (await redis.cli("keys", "*limit:*")).split("\n")) {
      expect([key, Number(await redis.cli("pttl", key)) > 0]).toEqual([key, true]);
    }
  });

  test.each([
    ["gateway", 1],
    ["worker", 2],
  ])("is free of what a %s had that was killed within ten seconds and a little", async (_, workers) => {
    await using redis = await startRedis();
    await using one = await start(redis, { onStoreError: "deny" }, workers);
    await using two = await start(redis, { onStoreError: "deny" });
    await fill(one, 4);
    expect(await statusOf(two)).toBe(429);
    const startedAt = performance.now();
    if (workers === 1) one.torii.signal("SIGKILL");
    else for (const pid of await one.pids()) process.kill(pid, "SIGKILL");
    const clients = await fill(two, 4);
    expect(performance.now() - startedAt).toBeLessThan(12_000);
    for (const client of clients) client.peer.reset();
  });

  test("is free but for the share of a gateway that was killed, which may only be cut off", async () => {
    await using redis = await startRedis();
    await using one = await start(redis);
    await using two = await start(redis);
    await eventually(async () => (await two.metric("torii_limits_share")) === 0.5, "both to have their share");
    await fill(one, 4);
    one.torii.signal("SIGKILL");
    for (const client of await fill(two, 2)) client.peer.reset();
  });

  test("is of one process over the embedded store, and in shadow refuses nobody", async () => {
    await using one = await start(null);
    const clients = await fill(one, 4);
    expect(await statusOf(one)).toBe(429);
    for (const client of clients) client.peer.reset();
    await eventually(async () => (await statusOf(one)) === 200, "a free slot");
  });

  test("counts a WebSocket until it closes", async () => {
    await using upstream = echoService();
    await using one = await startReady({
      workers: 1,
      torii: { redis: "", telemetry: { accessLog: { enabled: false } } },
      files: {
        "routes/main.ts": "export default {};",
        "routes/api.yaml": JSON.stringify({
          services: { echo: { discover: "static", endpoints: [{ url: `http://127.0.0.1:${upstream.port}` }] } },
          routes: [
            {
              name: "api",
              plugins: [{ use: "concurrency-limit", with: { limit: 1, by: "route" } }],
              backends: [{ service: "echo" }],
            },
          ],
        }),
      },
    });
    const socket = await openEchoSocket(`ws://127.0.0.1:${one.port}/`);
    await socket.ask("hello");
    expect(await statusOf(one)).toBe(429);
    await socket.ask("still there");
    socket[Symbol.dispose]();
    await eventually(async () => (await statusOf(one)) === 200, "the slot of the WebSocket");
  });

  test("becomes each gateway's share while Redis is away, and fails nobody", async () => {
    await using redis = await startRedis();
    await using one = await start(redis);
    await using two = await start(redis);
    await eventually(async () => (await one.metric("torii_limits_gateways")) === 2, "both to know of each other");
    await redis.kill();
    await eventually(async () => (await one.metric('torii_limits_mode{mode="local"}')) === 1, "shares", 10_000);
    const clients = await fill(one, 2);
    expect(await statusOf(one)).toBe(429);
    await redis.restart();
    await eventually(async () => (await one.metric('torii_limits_mode{mode="leased"}')) === 1, "leases", 10_000);
    await eventually(async () => (await statusOf(two)) === 200, "the other's slots", 5000);
    for (const client of clients) client.peer.reset();
  });
});
