import { describe, expect, test } from "bun:test";
import { Metadata, status } from "@grpc/grpc-js";
import { get, request } from "../support/forward.ts";
import { grpcClient, startGrpcServer } from "../support/grpc.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { startGateway, startProxy, type TestGateway } from "../support.ts";

/** Reads requests, and answers none. */
function startStalling(): Upstream {
  return startUpstream(async (connection) => {
    for (;;) await connection.request(600_000);
  });
}

async function expires(gateway: TestGateway, text: string): Promise<number> {
  const startedAt = performance.now();
  const response = await gateway.exchange(text);
  const problem: unknown = JSON.parse(response.body.toString());
  expect(problem).toMatchObject({ type: "urn:torii:problem:upstream_timeout", status: 504, route: "all" });
  return performance.now() - startedAt;
}

/** One failure is enough to eject an endpoint and to open the breaker. */
function startStrict(...upstreams: readonly Upstream[]): Promise<TestGateway> {
  return startGateway({
    routes: {
      services: {
        shop: {
          endpoints: upstreams.map(({ url }) => ({ url })),
          outlierDetection: { consecutiveFailures: 1, maxEjected: "100%" },
          circuitBreaker: { minRequests: 1, failureRate: "1%" },
        },
      },
      routes: [{ name: "all", backends: [{ service: "shop" }] }],
    },
  });
}

async function blamesNobody({ gateway }: TestGateway): Promise<void> {
  const metrics = await (await fetch(`http://127.0.0.1:${gateway.statusPort}/metrics`)).text();
  expect(metrics).toContain('torii_circuit_breaker_state{service="shop"} 0');
  expect(metrics).toContain('torii_endpoint_ejected{service="shop"} 0');
}

describe("a client that says how long it waits", () => {
  test("gets a 504 when that is over, sooner than by the route's timeout, and the service is told what is left", async () => {
    await using upstream = startStalling();
    await using gateway = await startProxy(upstream.url);
    const tookMs = await expires(gateway, request("GET /", "X-Request-Timeout: 200ms"));
    expect(tookMs).toBeGreaterThanOrEqual(199);
    expect(tookMs).toBeLessThan(5000);
    const [asked] = upstream.requests;
    expect(asked && header(asked, "x-request-timeout")).toMatch(/^(?:200|1?\d?\d)ms$/);
    expect(await gateway.logged(({ route }) => route === "all")).toMatchObject({
      status: 504,
      attempts: 1,
      flags: ["upstream_timeout"],
      decisions: [{ policy: "deadline", outcome: "expired" }],
    });
  });

  test("does not get more than the route gives", async () => {
    await using upstream = startStalling();
    await using gateway = await startProxy(upstream.url, { route: { timeout: "150ms" } });
    expect(await expires(gateway, request("GET /", "X-Request-Timeout: 1h"))).toBeLessThan(5000);
  });

  test("is served within that where the route and the service give no bound of their own", async () => {
    await using upstream = startStalling();
    const service = { timeouts: { response: "0s" } };
    await using gateway = await startProxy(upstream.url, { service, route: { timeout: "0s" } });
    await expires(gateway, request("GET /", "X-Request-Timeout: 0.15"));
  });

  test("runs out of it while it still sends: nobody waits for the end of its body", async () => {
    await using upstream = startStalling();
    await using gateway = await startProxy(upstream.url);
    await expires(gateway, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Request-Timeout: 150ms\r\n\r\nhe");
  });

  test("is not asked of anybody when no time is left at all", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    await expires(gateway, request("GET /", "X-Request-Timeout: 0"));
    expect(upstream.connections).toHaveLength(0);
  });

  test.each(["X-Request-Timeout: soon", "grpc-timeout: 5", "X-Request-Timeout: 1\r\nX-Request-Timeout: 2"])(
    "is told when nobody can read it: %p",
    async (field) => {
      await using upstream = startAnswering(() => ok());
      await using gateway = await startProxy(upstream.url);
      const response = await gateway.exchange(request("GET /", field));
      expect(response.status).toBe(400);
      expect(JSON.parse(response.body.toString())).toMatchObject({
        type: "urn:torii:problem:bad_request",
        route: "all",
      });
      expect(upstream.connections).toHaveLength(0);
    },
  );

  test("gets its answer, and the connection serves on", async () => {
    await using upstream = startAnswering(() => ok("in time"));
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    for (let i = 0; i < 3; i++) {
      await client.send(request("GET /", "X-Request-Timeout: 1"));
      expect((await client.response()).body.toString()).toBe("in time");
    }
    expect(upstream.connections).toHaveLength(1);
  });

  test("has retries within that time, each told less than the one before", async () => {
    await using upstream = startAnswering(() => "HTTP/1.1 503 Sad\r\nContent-Length: 0\r\n\r\n");
    const retry = { attempts: 5, backoff: "60ms", budget: "100%" };
    await using gateway = await startProxy(upstream.url, { route: { retry } });
    const response = await gateway.exchange(request("GET /", "X-Request-Timeout: 2"));
    expect(response.status).toBe(503);
    const left = upstream.requests.map((asked) => Number(header(asked, "x-request-timeout")));
    expect(left.length).toBe(6);
    expect(left).toEqual(left.toSorted((a, b) => b - a));
    expect(Math.max(...left)).toBeLessThanOrEqual(2);
  });

  test("has no retry whose pause would outlast it", async () => {
    await using upstream = startAnswering(() => "HTTP/1.1 503 Sad\r\nContent-Length: 0\r\n\r\n");
    const retry = { attempts: 5, backoff: "1h", budget: "100%" };
    await using gateway = await startProxy(upstream.url, { route: { retry, timeout: "0s" } });
    expect((await gateway.exchange(request("GET /", "X-Request-Timeout: 500ms"))).status).toBe(503);
    expect(upstream.requests).toHaveLength(1);
  });

  test("blames no endpoint, however short it waits", async () => {
    await using upstream = startStalling();
    await using other = startStalling();
    await using gateway = await startStrict(upstream, other);
    for (let i = 0; i < 3; i++) await expires(gateway, request("GET /", "X-Request-Timeout: 60ms"));
    await blamesNobody(gateway);
  });

  test.each(["resets", "says 500"])("blames none that %s when the time that it was told is over", async (how) => {
    const start = () =>
      startUpstream(async (connection) => {
        for (;;) {
          const asked = await connection.request(600_000);
          // As servers of gRPC do; the gateway may look at its own clock a tenth of a second later.
          await Bun.sleep(Number.parseFloat(header(asked, "x-request-timeout") ?? "0"));
          if (how === "resets") return connection.peer.reset();
          await connection.send("HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n");
        }
      });
    await using upstream = start();
    await using other = start();
    await using gateway = await startStrict(upstream, other);
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++)
      statuses.push((await gateway.exchange(request("GET /", "X-Request-Timeout: 20ms"))).status);
    expect(statuses).not.toContain(503);
    await blamesNobody(gateway);
  });

  test("bounds plugins too", async () => {
    const hanging = `import { definePlugin, z } from "torii";
export default definePlugin({ name: "hanging", options: z.strictObject({}), create: () => () => new Promise(() => {}) });
`;
    await using gateway = await startGateway({
      torii: { plugins: "own/" },
      files: { "own/hanging.ts": hanging },
      routes: {
        services: { up: { endpoints: [{ url: "http://127.0.0.1:9" }] } },
        routes: [{ name: "all", plugins: [{ use: "hanging", with: {} }], backends: [{ service: "up" }] }],
      },
    });
    expect(await expires(gateway, request("GET /", "X-Request-Timeout: 150ms"))).toBeLessThan(5000);
  });

  test("needs not, where its route tells services what is left of the timeout", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, { route: { timeout: "5s", propagateTimeout: true } });
    for (const field of ["X-A: 1", "X-Request-Timeout: 2s", "X-Request-Timeout: 60"])
      await gateway.exchange(request("GET /", field));
    const told = upstream.requests.map((asked) => header(asked, "x-request-timeout"));
    expect(told[0]).toMatch(/^(?:5|[34]\.\d+)$/);
    expect(told[1]).toMatch(/^(?:2000|1\d{3})ms$/);
    expect(told[2]).toMatch(/^(?:5|[34]\.\d+)$/);
  });

  test("needs not there, and no attempt is told more than it has itself", async () => {
    await using upstream = startAnswering(() => ok());
    const retry = { attempts: 1, perTryTimeout: "700ms" };
    await using gateway = await startProxy(upstream.url, { route: { timeout: "5s", propagateTimeout: true, retry } });
    await gateway.exchange(get());
    const [asked] = upstream.requests;
    expect(asked && header(asked, "x-request-timeout")).toBe("0.7");
  });

  test("changes nothing for those who say nothing", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    await gateway.exchange(get());
    const [asked] = upstream.requests;
    expect(asked && header(asked, "x-request-timeout")).toBeNull();
  });
});

describe("the deadline of a gRPC call", () => {
  test("is the gateway's and the server's: DEADLINE_EXCEEDED, and the call is cancelled", async () => {
    await using server = await startGrpcServer();
    await using gateway = await startProxy(`http://127.0.0.1:${server.port}`, { service: { protocol: "h2c" } });
    using client = grpcClient(`127.0.0.1:${gateway.port}`);
    // The client itself has no deadline here: only its metadata tells one.
    const metadata = new Metadata();
    metadata.set("x-request-timeout", "300ms");
    const { error } = await client.unary("hangs", { metadata });
    expect([error?.code, error?.details]).toEqual([
      status.DEADLINE_EXCEEDED,
      "The time that the client waits ran out.",
    ]);
    const { error: own } = await client.unary("hangs", { deadlineMs: 400 });
    expect(own?.code).toBe(status.DEADLINE_EXCEEDED);
    const told = server.seen.deadlines.at(-1) ?? 0;
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(400);
  });

  test("holds while the client still sends its messages", async () => {
    await using server = await startGrpcServer();
    await using gateway = await startProxy(`http://127.0.0.1:${server.port}`, { service: { protocol: "h2c" } });
    using client = grpcClient(`127.0.0.1:${gateway.port}`);
    const metadata = new Metadata();
    metadata.set("x-request-timeout", "0.2");
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    const path = "/torii.test.Echo/ClientStream";
    const bytes = (text: string) => Buffer.from(text);
    const call = client.raw.makeClientStreamRequest(path, bytes, String, metadata, (error) => resolve(error?.code));
    call.write("and nothing more");
    expect(await promise).toBe(status.DEADLINE_EXCEEDED);
    expect((await client.unary("unary")).reply).toBe("hello");
  });

  test("is the route's where that is told, as gRPC tells it", async () => {
    await using server = await startGrpcServer();
    await using gateway = await startProxy(`http://127.0.0.1:${server.port}`, {
      service: { protocol: "h2c" },
      route: { timeout: "400ms", propagateTimeout: true },
    });
    using client = grpcClient(`127.0.0.1:${gateway.port}`);
    expect((await client.unary("hangs")).error?.code).toBe(status.DEADLINE_EXCEEDED);
    const told = server.seen.deadlines.at(-1) ?? 0;
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(400);
  });
});
