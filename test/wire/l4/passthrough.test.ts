import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../../src/errors.ts";
import { TimerWheel } from "../../../src/wire/timer-wheel.ts";
import { connect } from "../../support/client.ts";
import { eventually } from "../../support/load.ts";
import { startPassthrough } from "./support.ts";

describe("bytes", () => {
  test("pass both ways as they are, and are counted", async () => {
    await using l4 = startPassthrough();
    const { client, endpoint } = await l4.pair();
    await client.send("ping\0\xff");
    expect((await endpoint.peer.take(6)).toString("latin1")).toBe("ping\0\xff");
    await endpoint.send("pong!");
    expect((await client.peer.take(5)).toString()).toBe("pong!");
    client.peer.endSending();
    await endpoint.peer.ending();
    endpoint.peer.endSending();
    const { bytesReceived, bytesSent, error, attempts } = await l4.ended();
    expect({ bytesReceived, bytesSent, error, attempts }).toEqual({
      bytesReceived: 6,
      bytesSent: 5,
      error: null,
      attempts: 0,
    });
  });

  test("that were read before come first", async () => {
    await using l4 = startPassthrough({ origin: { first: Buffer.from("hello, ") } });
    const { client, endpoint } = await l4.pair();
    await client.send("world");
    expect((await endpoint.peer.take(12)).toString()).toBe("hello, world");
  });

  test("that the endpoint says first reach a client that says nothing", async () => {
    await using l4 = startPassthrough();
    const { client, endpoint } = await l4.pair();
    await endpoint.send("220 ready\r\n");
    expect((await client.peer.take(11)).toString()).toBe("220 ready\r\n");
  });
});

describe("while there is no connection to an endpoint yet", () => {
  test("a client may send ahead so much, and no more", async () => {
    await using l4 = startPassthrough({ onPassage() {} });
    const client = await l4.connect();
    const sent = client.send(Buffer.alloc(32 * 1024 * 1024, "x"));
    const state = await Promise.race([sent.then(() => "taken"), Bun.sleep(200).then(() => "held")]);
    expect(state).toBe("held");
    const [connection] = l4.connections;
    if (connection === undefined) throw new Error("no connection");
    l4.join(connection);
    const endpoint = await l4.upstream.connection(0);
    endpoint.peer.discard();
    await sent;
    await eventually(() => endpoint.peer.receivedBytes === 32 * 1024 * 1024, "all bytes");
  });

  test("a client that sends no more is served all the same", async () => {
    await using l4 = startPassthrough({ onPassage() {} });
    const client = await l4.connect();
    await client.send("question");
    client.peer.endSending();
    await eventually(() => l4.connections.length === 1, "the connection");
    await Bun.sleep(20);
    const [connection] = l4.connections;
    if (connection === undefined) throw new Error("no connection");
    l4.join(connection);
    const endpoint = await l4.upstream.connection(0);
    expect(await endpoint.peer.ending()).toBe("ended");
    expect(endpoint.peer.text).toBe("question");
    await endpoint.send("answer");
    endpoint.peer.endSending();
    expect(await client.peer.ending()).not.toBe("reset");
    expect(client.peer.text).toBe("answer");
  });

  test("a client that leaves calls the search off and blames nobody else", async () => {
    const reasons: string[] = [];
    await using l4 = startPassthrough({
      onPassage: (passage) => {
        passage.onGone = (reason) => void reasons.push(reason.code);
      },
    });
    const client = await l4.connect();
    await eventually(() => l4.connections.length === 1, "the connection");
    client.peer.reset();
    expect((await l4.ended()).error?.code).toBe("client_closed");
    expect(reasons).toEqual(["client_closed"]);
    expect(l4.gone).toBe(1);
  });

  test("a connection to an endpoint that comes too late is closed", async () => {
    await using l4 = startPassthrough({ onPassage() {} });
    const client = await l4.connect();
    await eventually(() => l4.connections.length === 1, "the connection");
    client.peer.reset();
    const passage = await l4.ended();
    l4.join(passage);
    expect(await (await l4.upstream.connection(0)).peer.closing()).toBe("reset");
    expect(l4.left).toBe(1);
    expect(l4.done).toHaveLength(1);
  });
});

describe("an end of one direction", () => {
  test("by the client reaches the endpoint, whose answer still comes whole", async () => {
    await using l4 = startPassthrough();
    const { client, endpoint } = await l4.pair();
    await client.send("all of it");
    client.peer.endSending();
    expect(await endpoint.peer.ending()).toBe("ended");
    expect(endpoint.peer.text).toBe("all of it");
    const answer = Buffer.alloc(3 * 1024 * 1024, "a");
    await endpoint.send(answer);
    endpoint.peer.endSending();
    await eventually(() => client.peer.receivedBytes === answer.length && client.peer.state !== "open", "the answer");
    expect(client.peer.state).not.toBe("reset");
    await eventually(() => l4.gone === 1 && l4.left === 1, "both connections to be gone");
  });

  test("by the endpoint reaches the client, who may still send", async () => {
    await using l4 = startPassthrough();
    const { client, endpoint } = await l4.pair();
    await endpoint.send("bye");
    endpoint.peer.endSending();
    expect(await client.peer.ending()).toBe("ended");
    await client.send("still here");
    expect((await endpoint.peer.take(10)).toString()).toBe("still here");
    client.peer.endSending();
    expect((await l4.ended()).error).toBeNull();
    await eventually(() => l4.gone === 1 && l4.left === 1, "both connections to be gone");
  });
});

describe("a reset", () => {
  test("by the client reaches the endpoint as one", async () => {
    await using l4 = startPassthrough();
    const { client, endpoint } = await l4.pair();
    client.peer.reset();
    expect(await endpoint.peer.closing()).toBe("reset");
    expect((await l4.ended()).error?.code).toBe("client_closed");
    expect(l4.left).toBe(1);
  });

  test("by the endpoint reaches the client as one, and is the endpoint's fault", async () => {
    await using l4 = startPassthrough();
    const { client, endpoint } = await l4.pair();
    endpoint.peer.reset();
    expect(await client.peer.closing()).toBe("reset");
    expect((await l4.ended()).error?.code).toBe("upstream_reset");
    await eventually(() => l4.gone === 1, "the client's connection to be gone");
  });

  test("after the client ended its side still reaches it", async () => {
    await using l4 = startPassthrough();
    const { client, endpoint } = await l4.pair();
    client.peer.endSending();
    await endpoint.peer.ending();
    endpoint.peer.reset();
    expect(await client.peer.closing()).toBe("reset");
    expect((await l4.ended()).error?.code).toBe("upstream_reset");
  });

  test("reaches a client whose bytes the endpoint does not read", async () => {
    await using l4 = startPassthrough();
    const { client, endpoint } = await l4.pair();
    endpoint.peer.pause();
    const sent = client.send(Buffer.alloc(64 * 1024 * 1024)).catch(() => {});
    await eventually(() => l4.connections[0]?.isPaused === true, "the client to be held back");
    endpoint.peer.reset();
    expect(await client.peer.closing()).toBe("reset");
    await sent;
  });
});

/** A wheel whose time the test moves. */
function movedWheel(): { readonly wheel: TimerWheel; advance(ms: number): void } {
  let at = 1000;
  const wheel = new TimerWheel(() => at);
  return {
    wheel,
    advance(ms) {
      for (const end = at + ms; at < end; ) {
        at = Math.min(end, at + 50);
        wheel.advance();
      }
    },
  };
}

describe("silence", () => {
  test("in both directions for longer than the service allows ends both with a reset", async () => {
    const { wheel, advance } = movedWheel();
    await using l4 = startPassthrough({ wheel, idleMs: 5000 });
    const { client, endpoint } = await l4.pair();
    advance(4000);
    await endpoint.send("x");
    await client.peer.take(1);
    advance(4000);
    expect(l4.done).toHaveLength(0);
    advance(1200);
    expect((await l4.ended()).error?.code).toBe("upstream_timeout");
    expect(await client.peer.closing()).toBe("reset");
    expect(await endpoint.peer.closing()).toBe("reset");
  });

  test("has no bound at 0", async () => {
    const { wheel, advance } = movedWheel();
    await using l4 = startPassthrough({ wheel, idleMs: 0 });
    const { client, endpoint } = await l4.pair();
    advance(3_600_000);
    await client.send("x");
    expect((await endpoint.peer.take(1)).toString()).toBe("x");
  });

  test("of a client that does not read what is left after the end is bounded", async () => {
    const { wheel, advance } = movedWheel();
    await using l4 = startPassthrough({ wheel });
    const { client, endpoint } = await l4.pair();
    const [connection] = l4.connections;
    client.peer.pause();
    endpoint.send(Buffer.alloc(64 * 1024 * 1024)).catch(() => {});
    await eventually(() => connection?.outlet.isBlocked === true, "bytes that wait for the client");
    connection?.linger();
    advance(9800);
    expect(l4.gone).toBe(0);
    advance(400);
    await eventually(() => l4.gone === 1, "the connection to be gone");
  });
});

describe("a PROXY protocol header", () => {
  test.each(["v1", "v2"] as const)(
    "of %s goes first, with the client's address and the listener's",
    async (version) => {
      await using l4 = startPassthrough({ proxyProtocol: version });
      const { client, endpoint } = await l4.pair();
      await client.send("hi");
      const [connection] = l4.connections;
      const from = connection?.client.port ?? 0;
      const line = `PROXY TCP4 127.0.0.1 127.0.0.1 ${from} ${l4.port}\r\n`;
      const ports = Buffer.alloc(4);
      ports.writeUInt16BE(from, 0);
      ports.writeUInt16BE(l4.port, 2);
      const v2 = Buffer.concat([Buffer.from("0d0a0d0a000d0a515549540a2111000c7f0000017f000001", "hex"), ports]);
      const header = version === "v1" ? Buffer.from(line) : v2;
      const came = await endpoint.peer.take(header.length + 2);
      expect(came.toString("latin1")).toBe(`${header.toString("latin1")}hi`);
      expect(connection?.bytesReceived).toBe(2);
    },
  );

  test("says what another proxy said before", async () => {
    const client = { address: "192.0.2.9", peer: "127.0.0.1", port: 4711, localPort: 443, isTrusted: true, tls: null };
    const to = { address: "198.51.100.1", port: 443 };
    await using l4 = startPassthrough({ proxyProtocol: "v1", origin: { client, to } });
    const { endpoint } = await l4.pair();
    const line = "PROXY TCP4 192.0.2.9 198.51.100.1 4711 443\r\n";
    expect((await endpoint.peer.take(line.length)).toString()).toBe(line);
  });
});

describe("a refusal", () => {
  const refused = (code: "route_not_found" | "no_endpoint", protocol: "tcp" | "tls") =>
    startPassthrough({
      onPassage: (passage) => passage.refuse(new GatewayError(code, "No.")),
      origin: { protocol },
    });

  test("resets a plain connection", async () => {
    await using l4 = refused("route_not_found", "tcp");
    const client = await connect(l4);
    expect(await client.peer.closing()).toBe("reset");
    expect((await l4.ended()).error?.code).toBe("route_not_found");
    expect(l4.gone).toBe(1);
  });

  test("tells a TLS client that nobody serves the name", async () => {
    await using l4 = refused("route_not_found", "tls");
    const client = await connect(l4);
    expect(await client.peer.ending()).toBe("ended");
    expect(client.peer.received.toString("hex")).toBe("15030100020270");
    client.close();
    await eventually(() => l4.gone === 1, "the connection to be gone");
  });

  test("resets a TLS client whose endpoint cannot be reached", async () => {
    await using l4 = refused("no_endpoint", "tls");
    const client = await connect(l4);
    expect(await client.peer.closing()).toBe("reset");
    expect(client.peer.receivedBytes).toBe(0);
  });
});

describe("as a connection of its listener", () => {
  test("it goes on through drain and close, and breaks off both sides when it is terminated", async () => {
    await using l4 = startPassthrough();
    const { client, endpoint } = await l4.pair();
    const [connection] = l4.connections;
    connection?.drain();
    connection?.goAway();
    connection?.close();
    await client.send("x");
    expect((await endpoint.peer.take(1)).toString()).toBe("x");
    connection?.terminate();
    expect(await client.peer.closing()).toBe("reset");
    expect(await endpoint.peer.closing()).toBe("reset");
    expect((await l4.ended()).error?.code).toBe("draining");
  });
});
