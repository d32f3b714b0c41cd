import { describe, expect, test } from "bun:test";
import { alertRecord } from "../../../src/wire/tls/alert.ts";
import { connect } from "../../support/client.ts";
import { clientHello, inRecords } from "../../support/client-hello.ts";
import { get } from "../../support/forward.ts";
import { eventually } from "../../support/load.ts";
import { header } from "../../support/message.ts";
import { connectTls } from "../../support/tls-client.ts";
import { LIMITS } from "../h2/server.ts";
import { entry, serve, type TestListener, tlsFacts } from "./support.ts";

function https(): TestListener {
  return serve([entry({ tls: tlsFacts(["a.test"]) })]);
}

/** The listener is alive: a client is served. */
async function isServed(server: TestListener): Promise<boolean> {
  using client = await connectTls({ port: server.port }, { name: "a.test" });
  await client.raw.send(get());
  return (await client.raw.response()).status === 200;
}

/** What a connection is answered with until it ends, in hexadecimal. */
async function answerTo(server: TestListener, bytes: Uint8Array | string): Promise<string> {
  using client = await connect(server);
  await client.send(bytes);
  await client.peer.ending();
  return client.peer.received.toString("hex");
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("the TLS port", () => {
  test("answers HTTP in the clear with a problem that says so, and closes", async () => {
    using server = https();
    for (const request of [
      get(),
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
      "PRI * HTTP/2.0\r\n\r\n",
    ]) {
      using client = await connect(server);
      await client.send(request);
      const refusal = await client.response();
      expect([refusal.status, header(refusal, "content-type")]).toEqual([400, "application/problem+json"]);
      expect(refusal.body.toString()).toContain("This port speaks TLS");
      expect(await client.peer.ending()).toBe("ended");
    }
    expect(server.events.filter((event) => event === "tls_plain_http")).toHaveLength(3);
    expect(server.refused.map(({ listener, error }) => [listener, error.code])).toContainEqual([
      "https",
      "bad_request",
    ]);
    expect(await isServed(server)).toBe(true);
  });

  test("answers a request that comes letter by letter the same way", async () => {
    using server = https();
    using client = await connect(server);
    await client.peer.sendSplit(get(), [1, 2, 3]);
    expect((await client.response()).status).toBe(400);
  });

  test("answers anything else that is no TLS with an alert, and closes", async () => {
    using server = https();
    const unexpected = hex(alertRecord("unexpected_message"));
    expect(await answerTo(server, "garbage\r\n\r\n")).toBe(unexpected);
    expect(await answerTo(server, Buffer.alloc(100_000, 0xff))).toBe(unexpected);
    expect(await answerTo(server, Buffer.from([0x80, 0x2e, 1, 3, 1]))).toBe(unexpected);
    expect(await answerTo(server, Buffer.from([22, 3, 1, 0, 4, 11, 0, 0, 0]))).toBe(unexpected);
    expect(await answerTo(server, Buffer.from([22, 9, 1, 0, 4]))).toBe(hex(alertRecord("protocol_version")));
    expect(await answerTo(server, Buffer.from([22, 3, 1, 0xff, 0xff]))).toBe(hex(alertRecord("decode_error")));
    expect(server.events.filter((event) => event === "tls_malformed")).toHaveLength(6);
    expect(await isServed(server)).toBe(true);
  });

  test("closes after half a ClientHello and silence", async () => {
    using server = https();
    const hello = await clientHello("-servername", "a.test");
    using client = await connect(server);
    await client.send(hello.subarray(0, 50));
    using silent = await connect(server);
    await eventually(() => server.gate.open === 2, "both connections");
    // Both were accepted; the bytes of the first came before those of whoever is served after it.
    expect(await isServed(server)).toBe(true);
    expect(client.peer.receivedBytes).toBe(0);
    server.skip(4000);
    expect(client.peer.state).toBe("open");
    server.skip(1200);
    expect([await client.peer.ending(), await silent.peer.ending()]).toEqual(["ended", "ended"]);
    // Who never said a word did nothing wrong.
    expect(server.events.filter((event) => event === "tls_timeout")).toHaveLength(1);
    expect(await isServed(server)).toBe(true);
  });

  test("goes by what an update says, also for connections that had said nothing before it", async () => {
    const first = entry({ name: "a", hostnames: ["a.test"], tls: tlsFacts(["a.test"]) });
    using server = serve([first, entry({ name: "b", hostnames: ["b.test"], tls: tlsFacts(["b.test"]) })]);
    using early = await connect(server);
    await eventually(() => server.gate.open === 1, "the connection");
    server.listener.update({ limits: LIMITS, isTrusted: () => false, entries: [first] });
    await early.send(await clientHello("-servername", "b.test"));
    expect(hex(await early.peer.take(7))).toBe(hex(alertRecord("unrecognized_name")));
  });

  test("breaks a handshake off that does not go on", async () => {
    using server = https();
    using client = await connect(server);
    await client.send(await clientHello("-servername", "a.test"));
    await client.peer.until(() => client.peer.receivedBytes > 0, "the server's part");
    server.skip(6000);
    expect(await client.peer.closing()).toBe("reset");
    await eventually(() => server.gate.open === 0, "the connection to be let go");
    expect(server.handshakes).toEqual([{ listener: "https", version: null, result: "timeout" }]);
  });

  test("takes a ClientHello in records and packets of any size", async () => {
    using server = https();
    const hello = inRecords(await clientHello("-servername", "a.test"), 9);
    using client = await connect(server);
    await client.peer.sendSplit(hello, [1, 4, 5, 6, 100, 101, 250]);
    const record = await client.peer.take(6);
    // A handshake record with a ServerHello.
    expect([record[0], record[5]]).toEqual([22, 2]);
  });

  test("tells of a handshake that goes wrong after the ClientHello, and lives on", async () => {
    using server = https();
    using client = await connect(server);
    await client.send(await clientHello("-servername", "a.test"));
    await client.peer.take(6);
    await client.send(Buffer.alloc(2000, 0x17));
    await client.peer.closing();
    await eventually(() => server.handshakes.length === 1, "the handshake to end");
    expect(server.handshakes[0]).toMatchObject({ version: null });
    expect(await isServed(server)).toBe(true);
  });

  test("lets go of connections that leave within the handshake", async () => {
    using server = https();
    const hello = await clientHello("-servername", "a.test");
    for (const leave of ["reset", "close"] as const) {
      const client = await connect(server);
      await client.send(hello);
      await client.peer.take(6);
      client.peer[leave]();
    }
    const early = await connect(server);
    await early.send(hello.subarray(0, 10));
    early.peer.reset();
    await eventually(() => server.gate.open === 0, "all connections to be gone");
    expect(server.handshakes.map(({ version }) => version)).toEqual([null, null]);
    expect(await isServed(server)).toBe(true);
  });
});
