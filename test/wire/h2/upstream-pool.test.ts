import { afterEach, describe, expect, test } from "bun:test";
import { GatewayError } from "../../../src/errors.ts";
import { frame, type H2Connection, startH2Answering, startH2Upstream, TYPE } from "../../support/h2-upstream.ts";
import { eventually } from "../../support/load.ts";
import { closedPort } from "../../support/unreachable.ts";
import { startUpstream } from "../../support/upstream.ts";
import { ask, closePools, openPool, start, TIMEOUTS } from "./upstream-support.ts";

afterEach(closePools);

const MAX_STREAMS = 3;
const CANCEL = 8;
const REFUSED = 7;
const code = (payload: Buffer) => payload.readUInt32BE(0);

/** Answers with the number of its connection. */
const startNumbered = () =>
  startH2Answering((connection, { streamId }) => connection.respond(streamId, `${connection.index}`));

/** Takes so many streams at once, and answers them, the oldest first, as often as it is told to. */
function startHeld(maxStreams: number) {
  const held: (() => Promise<void>)[] = [];
  const took: PromiseWithResolvers<void>[] = [];
  const milestone = (count: number) => {
    took[count] ??= Promise.withResolvers();
    return took[count];
  };
  const script = async (connection: H2Connection) => {
    for (;;) {
      const { streamId } = await connection.request(600_000);
      held.push(() => connection.respond(streamId, String(connection.index)));
      milestone(held.length).resolve();
    }
  };
  const upstream = startH2Upstream(script, { settings: [[MAX_STREAMS, maxStreams]] });
  let released = 0;
  return {
    upstream,
    /** Waits until so many requests came in all. */
    taken: (count: number) => milestone(count).promise,
    release: (count: number) => Promise.all(Array.from({ length: count }, () => held[released++]?.())),
  };
}

describe("a pool of HTTP/2 connections", () => {
  test("sends everything on one, at once", async () => {
    const { upstream, taken, release } = startHeld(100);
    await using _ = upstream;
    const { pool } = openPool(upstream.port);
    const asked = Array.from({ length: 50 }, () => ask(pool));
    await taken(50);
    expect([pool.openConnections, pool.idleConnections, pool.inFlight]).toEqual([1, 0, 50]);
    await release(50);
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["200 0"]));
    expect([pool.openConnections, pool.idleConnections, pool.inFlight]).toEqual([1, 1, 0]);
  });

  test("opens more when the peer takes no more streams, as many as it needs", async () => {
    const { upstream, taken, release } = startHeld(4);
    await using _ = upstream;
    const { pool } = openPool(upstream.port);
    const asked = Array.from({ length: 10 }, () => ask(pool));
    await taken(10);
    expect([pool.openConnections, upstream.connections.length]).toEqual([3, 3]);
    await release(10);
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((it) => it === "200 0")).toHaveLength(4);
    expect(outcomes.filter((it) => it === "200 1")).toHaveLength(4);
    // The oldest with room has the next, so that the others fall idle.
    const next = ask(pool);
    await taken(11);
    await release(1);
    expect(await next).toBe("200 0");
  });

  test("lets attempts wait when it may open no more, and sends them when streams end", async () => {
    const { upstream, taken, release } = startHeld(2);
    await using _ = upstream;
    const { pool } = openPool(upstream.port, { maxConnections: 1 });
    const asked = Array.from({ length: 5 }, () => ask(pool));
    await taken(2);
    expect([pool.openConnections, pool.inFlight]).toEqual([1, 5]);
    await release(1);
    await taken(3);
    await release(2);
    await taken(5);
    await release(2);
    expect(await Promise.all(asked)).toEqual(new Array(5).fill("200 0"));
    expect([upstream.connections.length, pool.inFlight]).toEqual([1, 0]);
  });

  test("gives up an attempt that waits too long, or whose client left", async () => {
    const { upstream, taken, release } = startHeld(1);
    await using _ = upstream;
    const { pool, pass } = openPool(upstream.port, { maxConnections: 1 });
    const first = ask(pool, { timeouts: { responseMs: 60_000, idleMs: 60_000 } });
    await taken(1);
    const late = ask(pool);
    const gone = start(pool);
    gone.attempt.exchange.gone(new GatewayError("client_closed", "The client left."));
    expect(await gone.outcome).toEqual(["client_closed", null]);
    pass(TIMEOUTS.responseMs);
    expect(await late).toEqual(["upstream_timeout", "nothing"]);
    await release(1);
    expect(await first).toBe("200 0");
    expect(pool.inFlight).toBe(0);
  });

  test("follows a peer that takes fewer streams than before", async () => {
    const { upstream, taken, release } = startHeld(10);
    await using _ = upstream;
    const { pool } = openPool(upstream.port, { maxConnections: 1 });
    const first = ask(pool);
    await taken(1);
    const connection = await upstream.connection(0);
    await connection.settings([[MAX_STREAMS, 1]]);
    await connection.settled();
    await release(1);
    await first;
    const asked = [ask(pool), ask(pool)];
    await taken(2);
    expect(connection.frames).toEqual([]);
    await release(1);
    await taken(3);
    await release(1);
    expect(await Promise.all(asked)).toEqual(["200 0", "200 0"]);
  });

  test("closes an idle connection after its time of silence, and tells why", async () => {
    await using upstream = startNumbered();
    const { pool, pass } = openPool(upstream.port, { idleMs: 10_000 });
    await ask(pool);
    pass(9000);
    expect(await ask(pool)).toBe("200 0");
    pass(10_000);
    const connection = await upstream.connection(0);
    expect((await connection.next(TYPE.goaway)).streamId).toBe(0);
    await connection.peer.ending();
    connection.peer.close();
    await eventually(() => pool.openConnections === 0, "the connection to close");
    expect(await ask(pool)).toBe("200 1");
  });

  test("closes what is idle when it is closed, the rest when it has ended", async () => {
    const { upstream, taken, release } = startHeld(10);
    await using _ = upstream;
    const { pool } = openPool(upstream.port);
    const asked = ask(pool);
    await taken(1);
    pool.close();
    await release(1);
    expect(await asked).toBe("200 0");
    await (await upstream.connection(0)).peer.ending();
  });
});

describe("a peer that goes away", () => {
  test("gets no new streams, and finishes the old", async () => {
    const { upstream, taken, release } = startHeld(10);
    await using _ = upstream;
    const { pool } = openPool(upstream.port);
    const old = ask(pool);
    await taken(1);
    const connection = await upstream.connection(0);
    await connection.goAway(2 ** 31 - 1);
    await connection.settled();
    const next = ask(pool);
    await taken(2);
    await release(2);
    expect([await old, await next]).toEqual(["200 0", "200 1"]);
    await connection.peer.ending();
  });

  test("has not looked at streams above its last: nothing was sent of them", async () => {
    await using upstream = startH2Upstream(async (connection) => {
      const first = await connection.request();
      await connection.request();
      await connection.goAway(first.streamId);
      await connection.respond(first.streamId);
    });
    const { pool } = openPool(upstream.port);
    const asked = [ask(pool), ask(pool)];
    expect(await Promise.all(asked)).toEqual(["200 ok", ["upstream_reset", "nothing"]]);
    expect(pool.inFlight).toBe(0);
  });
});

describe("an attempt over HTTP/2 that fails says what was sent:", () => {
  test("nothing, when its stream was refused", async () => {
    await using upstream = startH2Answering((connection, { streamId }) => connection.reset(streamId, REFUSED));
    expect(await ask(openPool(upstream.port).pool)).toEqual(["upstream_reset", "nothing"]);
  });

  test.each([
    ["cancel", 8, "upstream_reset"],
    ["internal_error", 2, "upstream_reset"],
    ["no_error", 0, "upstream_reset"],
    ["http_1_1_required", 13, "upstream_protocol"],
  ])("fresh, when its stream was reset with %s", async (_, reason, expected) => {
    await using upstream = startH2Answering((connection, { streamId }) => connection.reset(streamId, reason));
    expect(await ask(openPool(upstream.port).pool)).toEqual([expected, "fresh"]);
  });

  test("fresh, when its stream was reset in the response", async () => {
    await using upstream = startH2Answering(async (connection, { streamId }) => {
      await connection.headers(streamId, [[":status", "200"]]);
      await connection.data(streamId, "half");
      await connection.reset(streamId, REFUSED);
    });
    expect(await ask(openPool(upstream.port).pool)).toEqual(["upstream_reset", "fresh"]);
  });

  test.each(["close", "reset"] as const)(
    "fresh on a new connection, reused on a kept one, when that breaks: %s",
    async (how) => {
      await using upstream = startH2Answering(async (connection, { streamId, fields }) => {
        if (fields[":path"] === "/break") connection.peer[how]();
        else await connection.respond(streamId);
      });
      const { pool } = openPool(upstream.port);
      const line = "GET /break HTTP/1.1";
      expect(await ask(pool, { line })).toEqual(["upstream_reset", "fresh"]);
      expect(await ask(pool)).toBe("200 ok");
      expect(await ask(pool, { line })).toEqual(["upstream_reset", "reused"]);
      expect(pool.inFlight).toBe(0);
    },
  );

  test("nothing, when the address refuses connections", async () => {
    const { pool } = openPool(closedPort());
    const asked = [ask(pool), ask(pool), ask(pool)];
    expect(await Promise.all(asked)).toEqual(new Array(3).fill(["upstream_connect", "nothing"]));
    expect([pool.inFlight, pool.openConnections]).toEqual([0, 0]);
  });

  test.each([
    ["speaks HTTP/1.1", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["begins with another frame than SETTINGS", "\x00\x00\x08\x06\x00\x00\x00\x00\x00pingping"],
  ])("nothing, when the peer %s", async (_, answer) => {
    await using upstream = startUpstream(async (connection) => {
      await connection.peer.until(() => connection.peer.receivedBytes > 0, "bytes");
      await connection.send(answer);
    });
    const { pool } = openPool(upstream.port);
    for (const outcome of [ask(pool), ask(pool)]) expect(await outcome).toEqual(["upstream_connect", "nothing"]);
    expect(pool.inFlight).toBe(0);
  });

  test("nothing, when the peer closes before its settings", async () => {
    await using upstream = startUpstream(async ({ peer }) => peer.close());
    expect(await ask(openPool(upstream.port).pool)).toEqual(["upstream_connect", "nothing"]);
  });

  test("nothing, when the peer's settings do not come in time", async () => {
    await using upstream = startH2Upstream(async () => {}, { settings: null });
    const { pool, pass } = openPool(upstream.port);
    const asked = ask(pool);
    const connection = await upstream.connection(0);
    await connection.peer.until(() => connection.peer.receivedBytes > 24, "a preface");
    pass(1000);
    expect(await asked).toEqual(["upstream_connect", "nothing"]);
  });

  test("fresh, when no response comes in time, and the endpoint hears of a cancel", async () => {
    await using upstream = startH2Upstream(async () => {});
    const { pool, pass } = openPool(upstream.port, { connectMs: 60_000 });
    const asked = ask(pool);
    const connection = await upstream.connection(0);
    await connection.request();
    pass(TIMEOUTS.responseMs);
    expect(await asked).toEqual(["upstream_timeout", "fresh"]);
    expect(code((await connection.next(TYPE.reset)).payload)).toBe(CANCEL);
    expect([pool.inFlight, pool.openConnections]).toEqual([0, 1]);
  });

  test("fresh, when the endpoint falls silent in its response", async () => {
    await using upstream = startH2Answering(async (connection, { streamId }) => {
      await connection.headers(streamId, [[":status", "200"]]);
    });
    const { pool, pass } = openPool(upstream.port, { connectMs: 60_000 });
    const asked = start(pool);
    await asked.response;
    pass(TIMEOUTS.idleMs);
    expect(await asked.outcome).toEqual(["upstream_timeout", "fresh"]);
  });
});

describe("a client that leaves", () => {
  test("is told to the endpoint as a cancel, and costs no connection", async () => {
    await using upstream = startH2Upstream(async () => {});
    const { pool } = openPool(upstream.port);
    const asked = start(pool);
    const connection = await upstream.connection(0);
    const { streamId } = await connection.request();
    asked.attempt.exchange.gone(new GatewayError("client_closed", "The client left."));
    expect(await asked.outcome).toEqual(["client_closed", null]);
    expect(code((await connection.next(TYPE.reset, streamId)).payload)).toBe(CANCEL);
    expect([pool.openConnections, pool.idleConnections, pool.inFlight]).toEqual([1, 1, 0]);
  });
});

describe("after long silence a connection", () => {
  test("is asked for a sign of life before it is used", async () => {
    await using upstream = startNumbered();
    const { pool, pass } = openPool(upstream.port);
    expect(await ask(pool)).toBe("200 0");
    const connection = await upstream.connection(0);
    connection.answersPings = false;
    pass(11_000);
    const asked = ask(pool);
    const ping = await connection.next(TYPE.ping);
    expect(connection.frames).toEqual([]);
    await connection.peer.send(frame(TYPE.ping, 1, 0, ping.payload));
    expect(await asked).toBe("200 0");
  });

  test("is given up when none comes; another takes the request", async () => {
    await using upstream = startNumbered();
    const { pool, pass } = openPool(upstream.port);
    await ask(pool);
    const connection = await upstream.connection(0);
    connection.answersPings = false;
    pass(11_000);
    const asked = ask(pool);
    await connection.next(TYPE.ping);
    pass(1000);
    expect(await asked).toBe("200 1");
    expect(pool.inFlight).toBe(0);
  });

  test("is not asked while it is in use", async () => {
    await using upstream = startNumbered();
    const { pool, pass } = openPool(upstream.port);
    for (let i = 0; i < 5; i++) {
      await ask(pool);
      pass(5000);
    }
    const connection = await upstream.connection(0);
    expect([connection.frames.length, upstream.connections.length]).toEqual([0, 1]);
  });
});

test("when a connection breaks under its streams, those beside it are asked for a sign of life", async () => {
  const { upstream, taken, release } = startHeld(1);
  await using _ = upstream;
  const { pool } = openPool(upstream.port);
  const asked = [ask(pool), ask(pool)];
  await taken(2);
  await release(1);
  expect(await Promise.race(asked)).toBe("200 0");
  const [kept, broken] = [await upstream.connection(0), await upstream.connection(1)];
  kept.answersPings = false;
  broken.peer.reset();
  expect(await asked[1]).toEqual(["upstream_reset", "fresh"]);
  const next = ask(pool);
  const ping = await kept.next(TYPE.ping);
  await kept.peer.send(frame(TYPE.ping, 1, 0, ping.payload));
  await taken(3);
  await release(2);
  expect(await next).toBe("200 0");
});
