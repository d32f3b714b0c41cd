import { describe, expect, test } from "bun:test";
import { answer, get, request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { closedPort, startBlackhole } from "../support/unreachable.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { startProxy } from "../support.ts";

function code(body: Buffer): string {
  return JSON.parse(body.toString()).type;
}

describe("slow clients", () => {
  test("a head that does not come is given up after headerTimeout", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, { torii: { limits: { headerTimeout: "150ms" } } });
    using client = await gateway.connect();
    await client.send("GET /r HTTP/1.1\r\nHost: gw.test\r\n");
    const { message, state } = await client.outcome();
    if (message !== null) expect(message.status).toBe(408);
    expect(message !== null || state !== "open").toBe(true);
    expect(await client.peer.ending()).not.toBe("reset");
  });

  test("octets that trickle do not stretch headerTimeout", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, { torii: { limits: { headerTimeout: "200ms" } } });
    using client = await gateway.connect();
    const startedAt = performance.now();
    while (client.peer.state === "open" && performance.now() - startedAt < 3000) {
      await client.send(client.peer.receivedBytes === 0 ? "G" : "");
      await Bun.sleep(40);
    }
    expect(client.peer.state).not.toBe("open");
  });

  test("a connection without request is closed after idleTimeout, without a word", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, { torii: { limits: { idleTimeout: "150ms" } } });
    using client = await gateway.connect();
    await client.send(get());
    await client.response();
    expect(["ended", "closed"]).toContain(await client.peer.ending());
    expect(client.peer.text).toBe("");
  });

  test("waiting for the service is not idleness of the client", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await Bun.sleep(500);
      await connection.send(ok("late"));
    });
    await using gateway = await startProxy(upstream.url, {
      torii: { limits: { idleTimeout: "150ms", headerTimeout: "150ms" } },
    });
    const response = await gateway.exchange(get());
    expect(response.body.toString()).toBe("late");
  });
});

describe("slow services", () => {
  test("no answer within the service's response timeout becomes 504, and the connection is given up", async () => {
    await using upstream = startUpstream(async (connection) => void (await connection.request()));
    await using gateway = await startProxy(upstream.url, { service: { timeouts: { response: "150ms" } } });
    const response = await gateway.exchange(get());
    expect([response.status, code(response.body)]).toEqual([504, "urn:torii:problem:upstream_timeout"]);
    await (await upstream.connection(0)).peer.ending();
  });

  test("the route's timeout bounds the whole request", async () => {
    await using upstream = startUpstream(async (connection) => void (await connection.request()));
    await using gateway = await startProxy(upstream.url, { route: { timeout: "150ms" } });
    const response = await gateway.exchange(get());
    expect([response.status, code(response.body)]).toEqual([504, "urn:torii:problem:upstream_timeout"]);
  });

  test("a body that falls silent breaks the answer off", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(answer("200 OK", ["Content-Length: 10"], "hello"));
    });
    await using gateway = await startProxy(upstream.url, { service: { timeouts: { idle: "150ms" } } });
    using client = await gateway.connect();
    await client.send(get());
    const { message, state } = await client.outcome();
    expect([message?.status, message?.isComplete]).toEqual([200, false]);
    expect(state).not.toBe("open");
  });

  test("a connect that hangs becomes 504 or 502 within the connect timeout", async () => {
    using hole = await startBlackhole();
    await using gateway = await startProxy(`http://127.0.0.1:${hole.port}`, {
      service: { timeouts: { connect: "150ms" } },
    });
    const response = await gateway.exchange(get());
    expect([502, 504]).toContain(response.status);
  });

  test("a port that refuses becomes 502", async () => {
    await using gateway = await startProxy(`http://127.0.0.1:${closedPort()}`);
    const response = await gateway.exchange(get());
    expect([response.status, code(response.body)]).toEqual([502, "urn:torii:problem:upstream_connect"]);
    expect(response.body.toString()).not.toMatch(/ECONNREFUSED|127\.0\.0\.1|\bat .*:\d+:\d+/);
  });
});

describe("connections", () => {
  test("over limits.connections a further one is turned away, and a freed place is taken again", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, { torii: { limits: { connections: 2 } } });
    using first = await gateway.connect();
    using second = await gateway.connect();
    await first.send(get());
    await first.response();
    await second.send(get());
    await second.response();
    using third = await gateway.connect();
    await third.send(get()).catch(() => {});
    const { message, state } = await third.outcome();
    expect(message?.status === 503 || state !== "open").toBe(true);
    third.close();
    first.close();
    const isServed = async () => (await gateway.exchange(get()).catch(() => null))?.status === 200;
    await eventually(isServed, "the freed place to be taken");
  });

  test("over connectionsPerClient too", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, { torii: { limits: { connectionsPerClient: 1 } } });
    using first = await gateway.connect();
    await first.send(get());
    await first.response();
    using second = await gateway.connect();
    await second.send(get()).catch(() => {});
    const { message, state } = await second.outcome();
    expect([429, 503].includes(message?.status ?? 0) || state !== "open").toBe(true);
  });

  test("one to the service is used again, the newest first", async () => {
    await using upstream = startAnswering((_, { index }) => ok(String(index)));
    await using gateway = await startProxy(upstream.url);
    for (let i = 0; i < 5; i++) expect((await gateway.exchange(get())).body.toString()).toBe("0");
    expect(upstream.connections).toHaveLength(1);
  });

  test("one that the service closed is not used for the next request", async () => {
    await using upstream = startAnswering((_, { index }) => ok(String(index)));
    await using gateway = await startProxy(upstream.url);
    await gateway.exchange(get());
    const service = await upstream.connection(0);
    service.peer.close();
    await service.peer.closing();
    expect((await gateway.exchange(get())).body.toString()).toBe("1");
  });

  test("idle ones to the service are closed after its idle timeout", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, { service: { timeouts: { idle: "150ms" } } });
    await gateway.exchange(get());
    expect((await upstream.connections[0]?.peer.ending()) ?? "never opened").toMatch(/ended|closed|reset/);
  });
});

describe("failing services", () => {
  test("a POST that was sent is not sent again", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      connection.peer.reset();
    });
    await using gateway = await startProxy(upstream.url);
    const response = await gateway.exchange(`${request("POST /r", "Content-Length: 2")}hi`, "POST");
    expect([response.status, code(response.body)]).toEqual([502, "urn:torii:problem:upstream_reset"]);
    expect(upstream.requests).toHaveLength(1);
  });

  test("a GET is sent twice at most", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      if (connection.index === 0) connection.peer.reset();
      else await connection.send(ok());
    });
    await using gateway = await startProxy(upstream.url);
    expect([200, 502, 503]).toContain((await gateway.exchange(get())).status);
    expect(upstream.requests.length).toBeLessThanOrEqual(2);
  });
});

describe("clients that leave", () => {
  test("the request to the service is given up, logged as 499 and blamed on nobody", async () => {
    await using upstream = startUpstream(async (connection) => void (await connection.request()));
    await using gateway = await startProxy(upstream.url);
    const client = await gateway.connect();
    await client.send(request("GET /left"));
    const service = await upstream.connection(0);
    await upstream.taken(1);
    client.peer.reset();
    await service.peer.ending();
    expect(await gateway.logged(({ path }) => path === "/left")).toMatchObject({ status: 499 });
  });

  test("within a response the service's connection is given up too", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(answer("200 OK", ["Content-Length: 1000"], "start"));
    });
    await using gateway = await startProxy(upstream.url);
    const client = await gateway.connect();
    await client.send(request("GET /left"));
    await client.head();
    client.peer.reset();
    await (await upstream.connection(0)).peer.ending();
    expect(await gateway.logged(({ path }) => path === "/left")).toMatchObject({
      status: 499,
      flags: ["client_closed"],
    });
  });
});

describe("a gateway that forwards to itself", () => {
  test("ends the circle with an error", async () => {
    const port = closedPort();
    const listeners = [{ name: "http", address: "127.0.0.1", port }];
    await using gateway = await startProxy(`http://127.0.0.1:${port}`, { torii: { listeners } });
    const response = await gateway.exchange(get());
    expect([502, 508]).toContain(response.status);
    expect(code(response.body)).toBe("urn:torii:problem:loop_detected");
  });
});
