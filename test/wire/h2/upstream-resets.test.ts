import { afterEach, describe, expect, test } from "bun:test";
import { GatewayError } from "../../../src/errors.ts";
import { causeOf } from "../../../src/service/retry-condition.ts";
import type { H2Pool } from "../../../src/wire/h2/upstream-pool.ts";
import { frame, type H2Connection, startH2Upstream, TYPE } from "../../support/h2-upstream.ts";
import { exchangeOf } from "../parts.ts";
import { ask, closePools, openPool, start, TIMEOUTS } from "./upstream-support.ts";

afterEach(closePools);

const ENHANCE_YOUR_CALM = 11;

/** Takes requests, and answers none. */
const startSilent = () =>
  startH2Upstream(async (connection) => {
    await connection.peer.ending(600_000);
  });

/** So many clients ask and leave. */
async function abort(pool: H2Pool, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { attempt, outcome } = start(pool);
    attempt.exchange.gone(new GatewayError("client_closed", "The client left."));
    await outcome;
  }
}

/** Waits until the connection has seen so many resets. */
async function seenResets(connection: H2Connection, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await connection.next(TYPE.reset);
}

/** A request under way, whose failure is what `failure` resolves to. */
function underWay(pool: H2Pool) {
  const { promise: failure, resolve } = Promise.withResolvers<GatewayError>();
  const exchange = exchangeOf();
  const receiver = { onResponse() {}, onFailure: (_: unknown, error: GatewayError) => resolve(error) };
  pool.send({ exchange, asker: exchange, receiver, timeouts: TIMEOUTS, authority: "endpoint.test" });
  return { failure };
}

describe("clients that leave in masses", () => {
  test("are spread over connections, and who stays is answered on the first", async () => {
    await using upstream = startSilent();
    const { pool } = openPool(upstream.port);
    const stays = start(pool);
    const first = await upstream.connection(0);
    const { streamId } = await first.request();
    // Time makes up for some, and those beyond leave before there is another connection.
    await abort(pool, 250);
    await seenResets(first, 200);
    const next = ask(pool);
    const second = await upstream.connection(1);
    await second.respond((await second.request()).streamId, "second");
    expect(await next).toBe("200 second");
    expect(first.frames.filter(({ type }) => type === TYPE.goaway)).toHaveLength(0);
    await first.respond(streamId, "first");
    expect(await stays.outcome).toBe("200 first");
    await first.next(TYPE.goaway);
    await first.peer.until(() => first.peer.state !== "open", "the end");
  });

  test("do not take the only connection that there may be", async () => {
    await using upstream = startSilent();
    const { pool } = openPool(upstream.port, { maxConnections: 1 });
    const stays = start(pool);
    const only = await upstream.connection(0);
    await only.request();
    await abort(pool, 300);
    await seenResets(only, 300);
    const next = underWay(pool);
    await only.request();
    expect([pool.openConnections, upstream.connections.length, pool.inFlight]).toEqual([1, 1, 2]);
    only.peer.close();
    await Promise.all([stays.outcome, next.failure]);
  });

  test.each([
    [0, "upstream", "fresh"],
    [150, "gateway", "reused"],
  ] as const)(
    "%d of them: an endpoint that ends the connection then is blamed as the %s",
    async (count, source, sent) => {
      await using upstream = startSilent();
      const { pool } = openPool(upstream.port);
      const stays = underWay(pool);
      const connection = await upstream.connection(0);
      await connection.request();
      await abort(pool, count);
      await seenResets(connection, count);
      await connection.goAway(2 * count + 101, ENHANCE_YOUR_CALM);
      connection.peer.close();
      const error = await stays.failure;
      expect([error.code, error.source, error.sent]).toEqual(["upstream_reset", source, sent]);
      expect(causeOf(error, ["reset"], exchangeOf().headers)).toBe("reset");
    },
  );
});

describe("a pool that closes", () => {
  test("says so on no connection before what is under way there has ended", async () => {
    await using upstream = startSilent();
    const { pool } = openPool(upstream.port);
    const asked = ask(pool);
    const connection = await upstream.connection(0);
    const { streamId } = await connection.request();
    pool.close();
    await connection.peer.send(frame(TYPE.ping, 0, 0, Buffer.alloc(8)));
    await connection.next(TYPE.ping);
    expect(connection.frames.filter(({ type }) => type === TYPE.goaway)).toEqual([]);
    await connection.headers(streamId, [[":status", "200"]]);
    await connection.data(streamId, "whole", true);
    expect(await asked).toBe("200 whole");
    await connection.next(TYPE.goaway);
  });
});
