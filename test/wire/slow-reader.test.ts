import { expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import type { Exchange } from "../../src/wire/exchange.ts";
import { headerList } from "../../src/wire/header-list.ts";
import { connect, type RawClient } from "../support/client.ts";
import { get } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { bulkBody } from "./h2/answers.ts";
import { connectFrames } from "./h2/frame-client.ts";
import { LIMITS } from "./h2/server.ts";
import { entry, serve, type TestListener } from "./tls/support.ts";

/** More than kernels hold. */
const MUCH_BYTES = 64 * 1024 * 1024;
const CAUSE = new GatewayError("client_closed", "The client left much unread while memory was short.");

function respondMuch(exchange: Exchange): void {
  exchange.respond({ status: 200, reason: "OK", headers: headerList([]) }, bulkBody(MUCH_BYTES));
}

function serveMuch(): TestListener {
  return serve([entry({ name: "http", protocol: "http" })], { onRequest: respondMuch });
}

/** A client that has asked, and that lets bytes wait at the gateway. */
async function reluctant(server: TestListener): Promise<RawClient> {
  const client = await connect({ port: server.port });
  client.peer.pause();
  await client.send(get());
  await eventually(() => server.listener.connections().some(({ heldBytes }) => heldBytes > 0), "bytes to wait");
  return client;
}

test("a client that takes nothing for too long is cut off, and the log is told that it did not leave", async () => {
  using server = serveMuch();
  using _client = await reluctant(server);
  const [exchange] = server.exchanges;
  server.skip(LIMITS.idleTimeoutMs - 1000);
  expect(exchange?.isDone).toBe(false);
  server.skip(2000);
  await eventually(() => exchange?.isDone === true, "the end");
  expect(exchange?.error).toMatchObject({
    code: "client_closed",
    message: "The client took nothing of the response for too long.",
  });
});

test("a client that is broken off for a cause is logged with it", async () => {
  using server = serveMuch();
  using _client = await reluctant(server);
  for (const connection of server.listener.connections()) connection.terminate(CAUSE);
  await eventually(() => server.exchanges[0]?.isDone === true, "the end");
  expect(server.exchanges[0]?.error).toBe(CAUSE);
});

test("a client that leaves by itself is logged as that", async () => {
  using server = serveMuch();
  using client = await reluctant(server);
  client.peer.reset();
  await eventually(() => server.exchanges[0]?.isDone === true, "the end");
  expect(server.exchanges[0]?.error?.message).toBe("The client closed the connection.");
});

test("every stream of an HTTP/2 connection that is broken off for a cause is logged with it", async () => {
  using server = serve([entry({ name: "http", protocol: "http", hasHttp2: true })], { onRequest: respondMuch });
  using client = await connectFrames(server.port, { opensWindows: false });
  await client.headers(1);
  await client.headers(3);
  await eventually(() => server.exchanges.length === 2, "both requests");
  for (const connection of server.listener.connections()) connection.terminate(CAUSE);
  await eventually(() => server.exchanges.every(({ isDone }) => isDone), "the end");
  expect(server.exchanges.map(({ error }) => error)).toEqual([CAUSE, CAUSE]);
});
