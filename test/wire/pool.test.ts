import { afterEach, describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { eventually } from "../support/load.ts";
import { closedPort, startBlackhole } from "../support/unreachable.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { ask, closePools, type Outcome, openPool, start, startHeld, startNumbered, TIMEOUTS } from "./pool-support.ts";

afterEach(closePools);

describe("a pool", () => {
  test("uses a connection again", async () => {
    await using upstream = startNumbered();
    const { pool } = openPool(upstream.port);
    for (let i = 0; i < 5; i++) expect(await ask(pool)).toBe("0");
    expect([pool.openConnections, pool.idleConnections, pool.inFlight]).toEqual([1, 1, 0]);
    expect(upstream.connections).toHaveLength(1);
  });

  test("opens as many connections as there are requests at once, without a bound", async () => {
    const { upstream, release } = startHeld();
    await using _ = upstream;
    const { pool } = openPool(upstream.port);
    const asked = Array.from({ length: 20 }, () => ask(pool));
    await upstream.taken(20);
    expect([pool.openConnections, pool.idleConnections, pool.inFlight]).toEqual([20, 0, 20]);
    for (const __ of asked) release();
    expect(new Set(await Promise.all(asked)).size).toBe(20);
    expect([pool.idleConnections, pool.inFlight]).toEqual([20, 0]);
  });

  test("uses the newest idle connection first", async () => {
    const { upstream, release } = startHeld();
    await using _ = upstream;
    const { pool } = openPool(upstream.port);
    const asked: Promise<Outcome>[] = [];
    for (let i = 0; i < 3; i++) {
      asked.push(ask(pool));
      await upstream.taken(i + 1);
    }
    // They come back in the order 0, 1, 2: the last is the newest.
    for (const one of asked) {
      release();
      await one;
    }
    const again = ask(pool);
    await upstream.taken(4);
    release();
    expect(await again).toBe("2");
  });

  test("opens a fresh connection when it is asked to, though others are idle", async () => {
    await using upstream = startNumbered();
    const { pool } = openPool(upstream.port);
    expect([await ask(pool), await ask(pool, { isFresh: true })]).toEqual(["0", "1"]);
  });

  test("closes a connection after its time of silence, and not before", async () => {
    await using upstream = startNumbered();
    const { pool, pass } = openPool(upstream.port, { idleMs: 10_000 });
    await ask(pool);
    pass(9000);
    expect(await ask(pool)).toBe("0");
    pass(9000);
    expect(pool.idleConnections).toBe(1);
    pass(1000);
    await eventually(() => pool.openConnections === 0, "the connection to close");
    expect(pool.idleConnections).toBe(0);
    expect(await ask(pool)).toBe("1");
  });

  test.each([
    ["answers Connection: close", ok("x", "Connection: close")],
    ["speaks HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"],
    ["sends more than its response", `${ok("x")}HTTP/1.1 200 OK\r\n`],
    [
      "frames in two ways",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    ],
  ])("does not use a connection again when the endpoint %s", async (_, answer) => {
    await using upstream = startAnswering(() => answer);
    const { pool } = openPool(upstream.port);
    expect(await ask(pool)).toBe("x");
    await eventually(() => pool.openConnections === 0, "the connection to close");
    expect(await ask(pool)).toBe("x");
    expect(upstream.connections).toHaveLength(2);
  });

  test("closes an idle connection that sends bytes unasked: they would be the next request's response", async () => {
    await using upstream = startNumbered();
    const { pool } = openPool(upstream.port);
    await ask(pool);
    await upstream.connections[0]?.send(ok("poison"));
    await eventually(() => pool.openConnections === 0, "the connection to close");
    expect(await ask(pool)).toBe("1");
  });

  test("forgets an idle connection that its endpoint closes", async () => {
    await using upstream = startNumbered();
    const { pool } = openPool(upstream.port);
    await ask(pool);
    upstream.connections[0]?.peer.close();
    await eventually(() => pool.openConnections === 0, "the connection to close");
    expect([pool.idleConnections, await ask(pool)]).toEqual([0, "1"]);
  });

  test("closes idle connections when it is closed, and the others when they are free", async () => {
    const { upstream, release } = startHeld();
    await using _ = upstream;
    const { pool } = openPool(upstream.port);
    const asked = [ask(pool), ask(pool)];
    await upstream.taken(2);
    release();
    await Promise.race(asked);
    pool.close();
    await eventually(() => pool.openConnections === 1, "the idle connection to close");
    release();
    expect((await Promise.all(asked)).toSorted()).toEqual(["0", "1"]);
    await eventually(() => pool.openConnections === 0, "the last connection to close");
  });
});

describe("an attempt that fails says what was sent:", () => {
  test("nothing, when nobody listens", async () => {
    const { pool } = openPool(closedPort());
    expect(await ask(pool)).toEqual(["upstream_connect", "nothing"]);
    expect([pool.inFlight, pool.openConnections]).toEqual([0, 0]);
  });

  test("nothing, when the connection is not accepted in time", async () => {
    using blackhole = await startBlackhole();
    const { pool, pass } = openPool(blackhole.port, { connectMs: 3000 });
    let isOver = false;
    const asked = ask(pool).finally(() => {
      isOver = true;
    });
    pass(2800);
    await Bun.sleep(1);
    expect(isOver).toBe(false);
    pass(200);
    expect(await asked).toEqual(["upstream_connect", "nothing"]);
    expect(pool.inFlight).toBe(0);
  });

  test.each(["closed", "reset"])("fresh, when a new connection is %s", async (way) => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      if (way === "closed") connection.peer.close();
      else connection.peer.reset();
    });
    const { pool } = openPool(upstream.port);
    expect(await ask(pool)).toEqual(["upstream_reset", "fresh"]);
    await eventually(() => pool.openConnections === 0, "the connection to close");
    expect(pool.inFlight).toBe(0);
  });

  /** Answers once, then does what it is told with the second request on the same connection. */
  const startStale = (second: (connection: Upstream["connections"][number]) => unknown) =>
    startUpstream(async (connection) => {
      await connection.request();
      await connection.send(ok("first"));
      await connection.request(600_000);
      await second(connection);
    });

  test.each(["closed", "reset"])("reused, when a kept connection is %s at the next request", async (way) => {
    await using upstream = startStale(({ peer }) => (way === "closed" ? peer.close() : peer.reset()));
    const { pool } = openPool(upstream.port);
    expect(await ask(pool)).toBe("first");
    expect(await ask(pool)).toEqual(["upstream_reset", "reused"]);
    expect(pool.inFlight).toBe(0);
  });

  test.each([
    ["a part of a head", "HTTP/1.1 200 O"],
    ["an interim response", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  ])("fresh, when a kept connection is closed behind %s: the endpoint read the request", async (_, bytes) => {
    await using upstream = startStale(async (connection) => {
      await connection.send(bytes);
      connection.peer.close();
    });
    const { pool } = openPool(upstream.port);
    await ask(pool);
    expect(await ask(pool)).toEqual(["upstream_reset", "fresh"]);
  });

  test("fresh, when the response breaks off", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart");
      connection.peer.close();
    });
    const { pool } = openPool(upstream.port);
    expect(await ask(pool)).toEqual(["upstream_reset", "fresh"]);
  });

  test.each([
    ["no HTTP", "nonsense\r\n\r\n"],
    ["a head over 64 KiB", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}\r\n\r\n`],
    ["too many interim responses", "HTTP/1.1 103 E\r\n\r\n".repeat(21) + ok()],
    ["a switch of protocols unasked", "HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n"],
  ])("upstream_protocol, for %s", async (_, bytes) => {
    await using upstream = startAnswering(() => bytes);
    const { pool } = openPool(upstream.port);
    expect((await ask(pool))[0]).toBe("upstream_protocol");
    await eventually(() => pool.openConnections === 0, "the connection to close");
    expect(pool.inFlight).toBe(0);
  });

  test("fresh, when no response comes in time", async () => {
    await using upstream = startUpstream(async (connection) => void (await connection.request()));
    const { pool, pass } = openPool(upstream.port);
    const asked = ask(pool);
    await upstream.taken(1);
    pass(TIMEOUTS.responseMs);
    expect(await asked).toEqual(["upstream_timeout", "fresh"]);
    await eventually(() => pool.openConnections === 0, "the connection to close");
  });
});

test("a request whose client left before it is connected is not sent", async () => {
  await using upstream = startNumbered();
  const { pool } = openPool(upstream.port);
  const { outcome, attempt } = start(pool);
  attempt.exchange.gone(new GatewayError("client_closed", "gone"));
  expect(await outcome).toEqual(["client_closed", null]);
  expect([upstream.requests.length, pool.inFlight]).toEqual([0, 0]);
});
