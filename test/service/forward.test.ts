import { describe, expect, test } from "bun:test";
import { createStaticRegistry } from "../../src/registry/static.ts";
import type { ServiceOptions } from "../../src/service/options.ts";
import { createService, type Service } from "../../src/service/service.ts";
import type { BodySource } from "../../src/wire/body.ts";
import { closedPort } from "../support/unreachable.ts";
import { ok, startAnswering, startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { forward, serviceDeps, serviceOptions, spec } from "./support.ts";

/** A service with one endpoint, ready to be used. */
async function serviceAt(url: string, options: Partial<ServiceOptions> = {}): Promise<Service & Disposable> {
  const registry = createStaticRegistry({ shop: [spec("one", url)] });
  const service = createService("shop", serviceOptions(options), serviceDeps(registry));
  await service.ready;
  return Object.assign(Object.create(service), { [Symbol.dispose]: () => service.close() });
}

/**
 * An endpoint that answers the first request of each connection with the connection's number, and closes at the
 * second one without a word, as a server does whose time for idle connections is over.
 */
function startStale(end: (connection: UpstreamConnection) => void = ({ peer }) => peer.close()): Upstream {
  return startUpstream(async (connection) => {
    await connection.request(600_000);
    await connection.send(ok(String(connection.index)));
    await connection.request(600_000);
    end(connection);
  });
}

/** A body that is there at once. */
function bodyOf(text: string, length: number | null = text.length): BodySource {
  return {
    length,
    pipe(sink) {
      sink.write(Buffer.from(text));
      sink.end(null);
    },
    pause() {},
    resume() {},
    cancel() {},
  };
}

describe("a request on a kept connection that turns out closed", () => {
  test.each(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])("is sent once more on a fresh one for %s", async (method) => {
    await using upstream = startStale();
    using service = await serviceAt(upstream.url);
    expect((await forward(service)).outcome).toBe("0");
    const { outcome, exchange } = await forward(service, { line: `${method} /again HTTP/1.1` });
    expect([outcome, exchange.attempts]).toEqual([method === "HEAD" ? "200" : "1", 2]);
    expect(upstream.requests.map(({ target }) => target)).toEqual(["/", "/again", "/again"]);
  });

  test("is sent once more after a reset too", async () => {
    await using upstream = startStale(({ peer }) => peer.reset());
    using service = await serviceAt(upstream.url);
    await forward(service);
    expect((await forward(service)).outcome).toBe("1");
  });

  test.each(["POST", "PATCH", "PROPFIND", "get"])("is not repeated for %s", async (method) => {
    await using upstream = startStale();
    using service = await serviceAt(upstream.url);
    await forward(service);
    const { error, exchange } = await forward(service, { line: `${method} / HTTP/1.1` });
    expect([error?.code, error?.sent, exchange.attempts]).toEqual(["upstream_reset", "reused", 1]);
    expect(upstream.requests).toHaveLength(2);
  });

  test.each(["GET", "PUT", "POST"])("is not repeated for %s with a body, which is gone", async (method) => {
    await using upstream = startStale();
    using service = await serviceAt(upstream.url);
    await forward(service);
    const { error, exchange } = await forward(service, { line: `${method} / HTTP/1.1`, body: bodyOf("hello") });
    expect([error?.code, exchange.attempts, upstream.requests.length]).toEqual(["upstream_reset", 1, 2]);
  });

  test("is not repeated a second time", async () => {
    // The first connection answers once; all later ones close at their first request.
    await using upstream = startUpstream(async (connection) => {
      await connection.request(600_000);
      if (connection.index > 0) {
        connection.peer.close();
        return;
      }
      await connection.send(ok("first"));
      await connection.request(600_000);
      connection.peer.close();
    });
    using service = await serviceAt(upstream.url);
    await forward(service);
    const { error, exchange } = await forward(service);
    expect([error?.code, error?.sent, exchange.attempts]).toEqual(["upstream_reset", "fresh", 2]);
    expect(upstream.requests).toHaveLength(3);
  });

  test("is not repeated on another kept connection, which may be as stale", async () => {
    const release = Promise.withResolvers<void>();
    await using upstream = startUpstream(async (connection) => {
      await connection.request(600_000);
      if (connection.index < 2) await release.promise;
      await connection.send(ok(String(connection.index)));
      await connection.request(600_000);
      connection.peer.close();
    });
    using service = await serviceAt(upstream.url);
    const both = [forward(service), forward(service)];
    await upstream.taken(2);
    release.resolve();
    await Promise.all(both);
    expect((await forward(service)).outcome).toBe("2");
  });
});

describe("a request is never repeated", () => {
  test("when a fresh connection closes without an answer", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      connection.peer.close();
    });
    using service = await serviceAt(upstream.url);
    const { error, exchange } = await forward(service);
    expect([error?.code, error?.sent, exchange.attempts]).toEqual(["upstream_reset", "fresh", 1]);
    expect(upstream.requests).toHaveLength(1);
  });

  test("when nobody listens", async () => {
    using service = await serviceAt(`http://127.0.0.1:${closedPort()}`);
    const { error, exchange } = await forward(service);
    expect([error?.code, error?.sent, exchange.attempts]).toEqual(["upstream_connect", "nothing", 1]);
  });

  test("when an answer has begun", async () => {
    await using upstream = startStale(
      (connection) =>
        void connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").then(() => connection.peer.close()),
    );
    using service = await serviceAt(upstream.url);
    await forward(service);
    const { error, exchange } = await forward(service);
    expect([error?.code, exchange.attempts, upstream.requests.length]).toEqual(["upstream_reset", 1, 2]);
  });
});

describe("the time for a response", () => {
  const startSilent = () => startUpstream(async (connection) => void (await connection.request()));

  test.each([
    ["the service's own", { timeouts: { connectMs: 1000, responseMs: 100, idleMs: 1000 } }, {}],
    ["the route's, where it is shorter", {}, { timeoutMs: 100 }],
    ["the route's for an attempt, in the service's place", {}, { attemptTimeoutMs: 100 }],
    ["the shorter of a route's two", {}, { timeoutMs: 100, attemptTimeoutMs: 60_000 }],
  ])("is %s", async (_, options, policy) => {
    await using upstream = startSilent();
    using service = await serviceAt(upstream.url, options);
    expect((await forward(service, { policy })).outcome).toBe("upstream_timeout");
  });
});

describe("what is sent", () => {
  test("names the endpoint where the client named no host", async () => {
    await using upstream = startAnswering(() => ok());
    using service = await serviceAt(upstream.url);
    const { exchange } = await forward(service);
    expect(exchange.upstreamAuthority).toBe("gw.test");
    exchange.upstreamAuthority = "";
    const { promise, resolve } = Promise.withResolvers<void>();
    const policy = { timeoutMs: 0, attemptTimeoutMs: null, priority: "normal" as const, retry: null };
    service.forward(exchange, policy, { onResponse: () => resolve(), onFailure: () => resolve() });
    await promise;
    expect(upstream.requests.map(({ headers }) => headers[0]?.[1])).toEqual(["gw.test", `127.0.0.1:${upstream.port}`]);
  });

  test("is told to the access log: service, endpoint and attempts", async () => {
    await using upstream = startAnswering(() => ok());
    using service = await serviceAt(upstream.url);
    const { exchange } = await forward(service);
    expect(exchange).toMatchObject({ service: "shop", endpoint: "one", attempts: 1 });
  });

  test("has a body of its length or of chunks", async () => {
    await using upstream = startAnswering(({ body }) => ok(body.toString()));
    using service = await serviceAt(upstream.url);
    for (const length of [5, null]) {
      const { outcome } = await forward(service, { line: "POST / HTTP/1.1", body: bodyOf("hello", length) });
      expect(outcome).toBe("hello");
    }
    expect(upstream.requests.map(({ framing }) => framing)).toEqual(["length", "chunked"]);
  });
});
