import { afterEach, describe, expect, test } from "bun:test";
import type { UpstreamResponse } from "../../src/wire/attempt.ts";
import type { Pool } from "../../src/wire/endpoint-pool.ts";
import type { RawClient } from "../support/client.ts";
import { startH2Upstream, TYPE } from "../support/h2-upstream.ts";
import { eventually } from "../support/load.ts";
import { startUpstream } from "../support/upstream.ts";
import { openTunnel, SWITCHING } from "../support/websocket.ts";
import { closePools as closeH2Pools, openPool as openH2Pool } from "./h2/upstream-support.ts";
import { closePools, openPool } from "./pool-support.ts";
import { entry, serve, type TestListener } from "./tls/support.ts";

afterEach(() => {
  closePools();
  closeH2Pools();
});

/** So long an end that does not go may hold its connection; a little less than that. */
const [LINGER_MS, NOT_YET_MS] = [10_000, 9500];
/** The closing frames of both sides, with 1000. */
const CLOSE = { client: Buffer.from("88820000000003e8", "hex"), server: Buffer.from("880203e8", "hex") };

/** A listener whose upgrades go to a pool. */
function gatewayTo(pool: Pool): TestListener {
  return serve([entry({ name: "http", protocol: "http" })], {
    onRequest(exchange) {
      const onResponse = (_: unknown, { head, body }: UpstreamResponse) => exchange.respond(head, body);
      const receiver = { onResponse, onFailure: () => expect.unreachable() };
      pool.send({ exchange, asker: exchange, receiver, timeouts: { responseMs: 5000, idleMs: 0 }, authority: "" });
    },
  });
}

/** Opens a WebSocket, and closes it in order as a drain does; the client leaves its connection open. */
async function closedInOrder(gateway: TestListener): Promise<RawClient> {
  const { client, response } = await openTunnel({ port: gateway.port });
  expect(response.status).toBe(101);
  gateway.listener.goAway();
  await client.peer.until(() => client.peer.text.includes("going away"), "the gateway's word");
  await client.send(CLOSE.client);
  await eventually(() => gateway.exchanges[0]?.isDone === true, "the tunnel to be over");
  return client;
}

describe("a WebSocket that is over, and whose ends stay", () => {
  test("lets go of their sockets after ten seconds", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(SWITCHING);
      await connection.peer.take(CLOSE.client.length);
      await connection.send(CLOSE.server);
      await connection.peer.closing();
    });
    const { pool, pass } = openPool(upstream.port);
    using gateway = gatewayTo(pool);
    const client = await closedInOrder(gateway);
    gateway.skip(NOT_YET_MS);
    pass(NOT_YET_MS);
    expect([gateway.listener.connections().length, pool.openConnections]).toEqual([1, 1]);
    gateway.skip(LINGER_MS - NOT_YET_MS + 100);
    pass(LINGER_MS - NOT_YET_MS);
    await eventually(() => gateway.listener.connections().length === 0, "the client's connection to be gone");
    await eventually(() => pool.openConnections === 0, "the service's connection to be gone");
    client.close();
  });

  test("lets go of an HTTP/2 stream that the service does not end after ten seconds, by a reset", async () => {
    const reset = Promise.withResolvers<void>();
    await using upstream = startH2Upstream(
      async (connection) => {
        const { streamId } = await connection.request();
        await connection.headers(streamId, [[":status", "200"]]);
        await connection.next(TYPE.data, streamId);
        await connection.data(streamId, CLOSE.server);
        await connection.next(TYPE.reset, streamId);
        reset.resolve();
      },
      { settings: [[8, 1]] },
    );
    const { pool, pass } = openH2Pool(upstream.port);
    using gateway = gatewayTo(pool);
    const client = await closedInOrder(gateway);
    pass(NOT_YET_MS);
    expect(pool.inFlight).toBe(1);
    pass(LINGER_MS - NOT_YET_MS);
    await reset.promise;
    expect([pool.inFlight, pool.openConnections]).toEqual([0, 1]);
    client.close();
  });
});
