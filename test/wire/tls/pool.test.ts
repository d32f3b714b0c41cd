import { afterEach, describe, expect, test } from "bun:test";
import type { TLSOptions } from "bun";
import { GatewayError } from "../../../src/errors.ts";
import { createDialTls, type DialTlsFacts } from "../../../src/wire/tls/dial-tls.ts";
import { authority } from "../../support/certificates.ts";
import { eventually } from "../../support/load.ts";
import { startBlackhole } from "../../support/unreachable.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../../support/upstream.ts";
import { exchangeOf } from "../parts.ts";
import { ask, closePools, openPool, start, TIMEOUTS } from "../pool-support.ts";

afterEach(closePools);

const ca = authority();
const named = ca.issue({ names: ["shop.test"] });

function dialTls(facts: Partial<DialTlsFacts> = {}) {
  return createDialTls({
    caPem: ca.cert,
    serverName: "shop.test",
    certPem: null,
    keyPem: null,
    alpn: ["http/1.1"],
    requiresAlpn: false,
    ...facts,
  });
}

function startSecure(options: TLSOptions = {}): Upstream {
  return startAnswering((_, { index }) => ok(String(index)), { tls: { cert: named.cert, key: named.key, ...options } });
}

/** The error that an attempt comes to. */
function failureOf(pool: ReturnType<typeof openPool>["pool"]): Promise<GatewayError> {
  const { promise, resolve, reject } = Promise.withResolvers<GatewayError>();
  const receiver = {
    onResponse: () => reject(new Error("the attempt was answered")),
    onFailure: (_: unknown, error: GatewayError) => resolve(error),
  };
  const exchange = exchangeOf({ lines: ["GET / HTTP/1.1", "Host: gw.test"] });
  pool.send({ exchange, asker: exchange, receiver, timeouts: TIMEOUTS, authority: "endpoint.test" });
  return promise;
}

describe("a pool over TLS", () => {
  test("sends its requests on verified connections, and uses them again", async () => {
    await using upstream = startSecure();
    const { pool } = openPool(upstream.port, { tls: dialTls() });
    expect([await ask(pool), await ask(pool)]).toEqual(["0", "0"]);
    expect([pool.openConnections, pool.idleConnections, pool.inFlight]).toEqual([1, 1, 0]);
  });

  test("verifies the dialled address where no name is given", async () => {
    const byAddress = ca.issue({ otherNames: ["IP:127.0.0.1"] });
    await using upstream = startSecure({ cert: byAddress.cert, key: byAddress.key });
    const { pool } = openPool(upstream.port, { tls: dialTls({ serverName: null }) });
    expect(await ask(pool)).toBe("0");
  });

  test("shows a client certificate to who asks for one", async () => {
    const own = ca.issue({ commonName: "gateway", usage: "client" });
    await using upstream = startSecure({ requestCert: true, rejectUnauthorized: true, ca: ca.cert });
    const tls = dialTls({ certPem: own.cert, keyPem: own.key });
    expect(await ask(openPool(upstream.port, { tls }).pool)).toBe("0");
    expect(await ask(openPool(upstream.port, { tls: dialTls() }).pool)).toEqual(["upstream_reset", "fresh"]);
  });

  test.each([
    ["has another name", {}, { serverName: "other.test" }, "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["has the name as its common name only", ca.issue({ commonName: "shop.test" }), {}, "ALTNAME"],
    [
      "has the name as its common name beside a workload's URI",
      ca.issue({ commonName: "shop.test", otherNames: ["URI:spiffe://mesh/other"] }),
      {},
      "ALTNAME",
    ],
    ["is of an unknown authority", authority("Another CA").issue({ names: ["shop.test"] }), {}, "UNABLE_TO_VERIFY"],
    ["has expired", ca.issue({ names: ["shop.test"], days: -1 }), {}, "CERT_HAS_EXPIRED"],
    ["is of no authority that the system knows", {}, { caPem: null }, "UNABLE_TO_"],
  ])("refuses a certificate that %s, before anything is sent", async (_, served, facts, reason) => {
    const { cert, key } = { ...named, ...served };
    await using upstream = startSecure({ cert, key });
    const { pool } = openPool(upstream.port, { tls: dialTls(facts) });
    const error = await failureOf(pool);
    expect([error.code, error.sent]).toEqual(["upstream_connect", "nothing"]);
    expect(error.message).toBe("The upstream's certificate was not accepted.");
    expect(error.cause).toMatchObject({ code: expect.stringContaining(reason) });
    expect([pool.openConnections, pool.inFlight, upstream.requests.length]).toEqual([0, 0, 0]);
  });

  test.each([
    ["speaks no TLS", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"],
    ["is silent and closes", null],
  ])("fails with a peer that %s", async (_, answer) => {
    await using upstream = startUpstream(async (connection) => {
      await connection.peer.until(() => connection.peer.receivedBytes > 0, "bytes");
      if (answer !== null) await connection.send(answer);
      connection.peer.close();
    });
    const error = await failureOf(openPool(upstream.port, { tls: dialTls() }).pool);
    expect([error.code, error.sent]).toEqual(["upstream_connect", "nothing"]);
    expect(error.message).toBe("The TLS handshake with the upstream failed.");
  });

  test("fails with a peer that resets within the handshake", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.peer.until(() => connection.peer.receivedBytes > 0, "bytes");
      connection.peer.reset();
    });
    const { pool } = openPool(upstream.port, { tls: dialTls() });
    expect((await failureOf(pool)).message).toBe("The TLS handshake with the upstream failed.");
    expect([pool.openConnections, pool.inFlight]).toEqual([0, 0]);
  });

  test("refuses a peer that does not choose the protocol it must speak", async () => {
    await using upstream = startSecure();
    const error = await failureOf(openPool(upstream.port, { tls: dialTls({ alpn: ["h2"], requiresAlpn: true }) }).pool);
    expect(error.code).toBe("upstream_connect");
    expect(error.message).toBe("The upstream does not offer the protocol of the service.");
  });

  test("gives up a handshake after the time to connect, and its place with it", async () => {
    await using upstream = startUpstream(async () => {});
    const { pool, pass } = openPool(upstream.port, { tls: dialTls(), maxConnections: 1 });
    const first = failureOf(pool);
    const connection = await upstream.connection(0);
    await connection.peer.until(() => connection.peer.receivedBytes > 0, "a ClientHello");
    pass(1000);
    expect((await first).message).toBe("The TLS handshake with the upstream took too long.");
    await connection.peer.ending();
    const second = start(pool);
    const next = await upstream.connection(1);
    next.peer.reset();
    expect(await second.outcome).toEqual(["upstream_connect", "nothing"]);
  });

  test("counts a handshake as a connection until it is over", async () => {
    await using upstream = startUpstream(async () => {});
    const { pool } = openPool(upstream.port, { tls: dialTls(), maxConnections: 1 });
    const asked = [start(pool), start(pool)];
    const connection = await upstream.connection(0);
    await connection.peer.until(() => connection.peer.receivedBytes > 0, "a ClientHello");
    expect([pool.inFlight, upstream.connections.length]).toEqual([2, 1]);
    connection.peer.reset();
    await upstream.connection(1).then(({ peer }) => peer.reset());
    for (const one of asked) expect(await one.outcome).toEqual(["upstream_connect", "nothing"]);
  });

  test("breaks off a handshake that nobody waits for any more", async () => {
    await using upstream = startUpstream(async () => {});
    const { pool } = openPool(upstream.port, { tls: dialTls() });
    const { attempt, outcome } = start(pool);
    const { peer } = await upstream.connection(0);
    await peer.until(() => peer.receivedBytes > 0, "a ClientHello");
    attempt.exchange.gone(new GatewayError("client_closed", "The client left."));
    expect(await outcome).toEqual(["client_closed", null]);
    await peer.ending();
  });

  test("gives up an address that accepts no connection, as it does in the clear", async () => {
    using blackhole = await startBlackhole();
    const { pool, pass } = openPool(blackhole.port, { tls: dialTls() });
    const failed = failureOf(pool);
    pass(1000);
    expect((await failed).message).toBe("The upstream did not accept a connection in time.");
    await eventually(() => pool.inFlight === 0, "the attempt to be over");
  });
});
