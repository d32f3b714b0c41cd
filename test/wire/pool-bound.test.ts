import { afterEach, describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { closedPort } from "../support/unreachable.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { ask, closePools, type Outcome, openPool, start, startHeld, TIMEOUTS } from "./pool-support.ts";

afterEach(closePools);

describe("with a bound on connections, a pool", () => {
  test("lets requests wait in order, and never opens more", async () => {
    const { upstream, release } = startHeld();
    await using _ = upstream;
    const { pool } = openPool(upstream.port, { maxConnections: 2 });
    const done: number[] = [];
    const asked = Array.from({ length: 10 }, async (__, at) => {
      await ask(pool);
      done.push(at);
    });
    await upstream.taken(2);
    expect([pool.openConnections, pool.inFlight]).toEqual([2, 10]);
    for (let i = 0; i < 10; i++) {
      await upstream.taken(Math.min(10, i + 2));
      release();
    }
    await Promise.all(asked);
    expect(upstream.connections).toHaveLength(2);
    expect(done.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(upstream.requests).toHaveLength(10);
    expect(pool.inFlight).toBe(0);
  });

  test("refuses who waited as long as a response may take, and sends nothing of it", async () => {
    const { upstream, release } = startHeld();
    await using _ = upstream;
    const { pool, pass } = openPool(upstream.port, { maxConnections: 1 });
    const first = ask(pool, { timeouts: { responseMs: 60_000, idleMs: 60_000 } });
    await upstream.taken(1);
    const waiting = ask(pool, { timeouts: { responseMs: 2000, idleMs: 60_000 } });
    pass(1000);
    expect(pool.inFlight).toBe(2);
    pass(1000);
    expect(await waiting).toEqual(["upstream_timeout", "nothing"]);
    release();
    expect([await first, pool.inFlight, upstream.requests.length]).toEqual(["0", 0, 1]);
  });

  test("opens another connection for who waits when one closes", async () => {
    await using upstream = startAnswering((_, { index }) => ok(String(index), "Connection: close"));
    const { pool } = openPool(upstream.port, { maxConnections: 1 });
    expect(await Promise.all([ask(pool), ask(pool), ask(pool)])).toEqual(["0", "1", "2"]);
    expect(pool.inFlight).toBe(0);
  });

  test("lets the next one try when a connection does not come about", async () => {
    const { pool } = openPool(closedPort(), { maxConnections: 1 });
    const refused: Outcome = ["upstream_connect", "nothing"];
    expect(await Promise.all([ask(pool), ask(pool), ask(pool)])).toEqual([refused, refused, refused]);
    expect(pool.inFlight).toBe(0);
  });

  test("frees the place of who waits when its client leaves", async () => {
    const { upstream, release } = startHeld();
    await using _ = upstream;
    const { pool } = openPool(upstream.port, { maxConnections: 1 });
    const first = ask(pool);
    await upstream.taken(1);
    const waiting = Array.from({ length: 1024 }, () => start(pool));
    for (const { attempt } of waiting) attempt.exchange.gone(new GatewayError("client_closed", "gone"));
    expect(pool.inFlight).toBe(1);
    const last = ask(pool);
    release();
    await upstream.taken(2);
    release();
    expect(await Promise.all([first, last])).toEqual(["0", "0"]);
  });

  test("passes over who waits and whose client has left", async () => {
    const { upstream, release } = startHeld();
    await using _ = upstream;
    const { pool } = openPool(upstream.port, { maxConnections: 1 });
    const first = ask(pool);
    await upstream.taken(1);
    const left = start(pool);
    const last = ask(pool);
    left.attempt.exchange.isDone = true;
    release();
    expect(await left.outcome).toEqual(["client_closed", "nothing"]);
    await upstream.taken(2);
    release();
    expect(await Promise.all([first, last])).toEqual(["0", "0"]);
    expect([pool.inFlight, upstream.requests.length]).toEqual([0, 2]);
  });

  test("lets 1,024 wait and refuses more at once", async () => {
    const { upstream } = startHeld();
    await using _ = upstream;
    const { pool, pass } = openPool(upstream.port, { maxConnections: 1 });
    const first = ask(pool);
    await upstream.taken(1);
    const waiting = Array.from({ length: 1024 }, () => ask(pool));
    expect(await ask(pool)).toEqual(["overloaded", "nothing"]);
    expect(pool.inFlight).toBe(1025);
    pass(TIMEOUTS.responseMs);
    expect(new Set((await Promise.all(waiting)).map(String))).toEqual(new Set(["upstream_timeout,nothing"]));
    expect(await first).toEqual(["upstream_timeout", "fresh"]);
    expect(pool.inFlight).toBe(0);
  });
});
