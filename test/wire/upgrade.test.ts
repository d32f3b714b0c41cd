import { describe, expect, test } from "bun:test";
import { answer, forward, get } from "../support/forward.ts";
import { header, values } from "../support/message.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import {
  handshake,
  openTunnel,
  SAMPLE_ACCEPT,
  SWITCHING,
  startWebSocketEcho,
  textFrame,
} from "../support/websocket.ts";
import { startProxy } from "../support.ts";

/** A service that says yes to every upgrade and leaves the tunnel to the test. */
function startSwitching(afterwards = ""): Upstream {
  return startUpstream(async (connection) => {
    await connection.request();
    await connection.send(SWITCHING + afterwards);
  });
}

describe("the handshake (RFC 6455 4, RFC 9110 7.8)", () => {
  test("passes with key, version, protocols and origin, and 101 comes back", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(handshake("/ws?x=1", "Sec-WebSocket-Protocol: chat, superchat", "Origin: http://a.example"));
    const response = await client.response();
    expect([response.status, header(response, "sec-websocket-accept")]).toEqual([101, SAMPLE_ACCEPT]);
    expect(header(response, "connection")?.toLowerCase()).toBe("upgrade");
    expect(values(response, "upgrade")).toEqual(["websocket"]);
    const [seen] = upstream.requests;
    expect(seen?.target).toBe("/ws?x=1");
    const fields = ["upgrade", "sec-websocket-version", "sec-websocket-protocol", "origin"].map((name) =>
      header(seen ?? { headers: [] }, name),
    );
    expect(fields).toEqual(["websocket", "13", "chat, superchat", "http://a.example"]);
    expect(header(seen ?? { headers: [] }, "connection")?.toLowerCase()).toBe("upgrade");
  });

  test("a client that sends no more is known as that when the switch comes later", async () => {
    const { promise: hasEnded, resolve: tellEnded } = Promise.withResolvers<void>();
    const { promise: goOn, resolve: letGo } = Promise.withResolvers<void>();
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await goOn;
      await connection.send(SWITCHING);
      await connection.peer.ending();
      tellEnded();
      connection.peer.endSending();
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(handshake());
    await upstream.taken(1);
    client.peer.endSending();
    // Told to a client whose end has come, to find out whether it still reads.
    await client.peer.until(() => client.peer.text.includes("100 Continue"), "the gateway to see the end");
    letGo();
    await hasEnded;
    await client.peer.ending();
    expect(client.peer.text).toContain("HTTP/1.1 101");
  });

  test("capitals in Upgrade and more than one word in Connection do not hinder it", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(
      handshake()
        .replace("Connection: Upgrade", "Connection: keep-alive, Upgrade")
        .replace("Upgrade: websocket", "Upgrade: WebSocket"),
    );
    expect((await client.response()).status).toBe(101);
  });

  test("another protocol is switched to as well", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(answer("101 Switching Protocols", ["Connection: Upgrade", "Upgrade: foo/2"], "hi"));
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(get("Connection: Upgrade", "Upgrade: foo/2"));
    expect((await client.response()).status).toBe(101);
    expect((await client.peer.take(2)).toString()).toBe("hi");
  });

  test.each(["403 Forbidden", "426 Upgrade Required", "200 OK"])(
    "a refusal with %s passes unchanged, and the connection goes on",
    async (status) => {
      const refusal = answer(status, ["Sec-WebSocket-Version: 13", "X-Why: no", "Content-Length: 4"], "nope");
      const { responses } = await forward(handshake() + get(), { answer: refusal, answers: 2 });
      const [first] = responses;
      expect(first?.startLine).toBe(`HTTP/1.1 ${status}`);
      expect([
        header(first ?? { headers: [] }, "sec-websocket-version"),
        header(first ?? { headers: [] }, "x-why"),
        first?.body.toString(),
      ]).toEqual(["13", "no", "nope"]);
      expect(responses).toHaveLength(2);
    },
  );

  test("a service that hangs up becomes 502", async () => {
    const { response } = await forward(handshake(), { answer: "", ends: "close" });
    expect(response.status).toBe(502);
  });

  test("POST does not switch", async () => {
    const { response, request } = await forward(
      handshake().replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
      { method: "POST" },
    );
    expect(response.status).not.toBe(101);
    expect(header(request, "upgrade")).toBeNull();
  });
});

describe("the tunnel", () => {
  test("frames right behind the handshake are not lost", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    const frame = textFrame("hi");
    await client.send(Buffer.concat([Buffer.from(handshake()), frame]));
    expect((await client.response()).status).toBe(101);
    expect(await (await upstream.connection(0)).peer.take(frame.length)).toEqual(frame);
  });

  test("frames right behind the 101 are not lost", async () => {
    await using upstream = startSwitching("\x81\x02hi");
    await using gateway = await startProxy(upstream.url);
    const { client } = await openTunnel(gateway);
    expect((await client.peer.take(4)).toString("latin1")).toBe("\x81\x02hi");
    client.peer.reset();
  });

  test("octets of every value pass both ways", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    const { client } = await openTunnel(gateway);
    const all = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    const { peer } = await upstream.connection(0);
    await client.send(all);
    expect(await peer.take(256)).toEqual(all);
    await peer.send(all);
    expect(await client.peer.take(256)).toEqual(all);
    client.peer.reset();
  });

  test("a megabyte passes whole each way at the same time", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    const { client } = await openTunnel(gateway);
    const { peer } = await upstream.connection(0);
    const up = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)));
    const much = Buffer.concat(Array.from({ length: 16 }, () => up));
    await Promise.all([client.send(much), peer.send(much)]);
    const [down, over] = await Promise.all([client.peer.take(much.length), peer.take(much.length)]);
    expect([down.equals(much), over.equals(much)]).toEqual([true, true]);
    client.peer.reset();
  });

  test("when the client ends its side, the service may go on sending", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    const { client } = await openTunnel(gateway);
    const { peer } = await upstream.connection(0);
    client.peer.endSending();
    expect(await peer.ending()).toBe("ended");
    await peer.send("farewell");
    expect((await client.peer.take(8)).toString()).toBe("farewell");
    peer.close();
    expect(await client.peer.ending()).not.toBe("reset");
  });

  test("when the service ends its side, the client may go on sending", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    const { client } = await openTunnel(gateway);
    const { peer } = await upstream.connection(0);
    peer.endSending();
    expect(await client.peer.ending()).toBe("ended");
    await client.send("farewell");
    expect((await peer.take(8)).toString()).toBe("farewell");
    client.close();
    expect(await peer.ending()).not.toBe("reset");
  });

  test("a reset of the client is a reset at the service", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    const { client } = await openTunnel(gateway);
    client.peer.reset();
    expect(await (await upstream.connection(0)).peer.ending()).toBe("reset");
  });

  test("a reset of the service is a reset at the client", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    const { client } = await openTunnel(gateway);
    (await upstream.connection(0)).peer.reset();
    expect(await client.peer.ending()).toBe("reset");
  });

  test("silence longer than the service's idle timeout closes both ends", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url, { service: { timeouts: { idle: "200ms" } } });
    const { client } = await openTunnel(gateway);
    await client.peer.ending();
    await (await upstream.connection(0)).peer.ending();
    expect(client.peer.state).not.toBe("open");
  });

  test("traffic in one direction keeps it open", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url, {
      service: { timeouts: { idle: "250ms" } },
      torii: { limits: { idleTimeout: "250ms" } },
    });
    const { client } = await openTunnel(gateway);
    const { peer } = await upstream.connection(0);
    for (let i = 0; i < 8; i++) {
      await Bun.sleep(60);
      await peer.send("x");
    }
    expect((await client.peer.take(8)).toString()).toBe("xxxxxxxx");
    expect(client.peer.state).toBe("open");
    client.peer.reset();
  });

  test("a peer that does not read stops the other from sending", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    const { client } = await openTunnel(gateway);
    const { peer } = await upstream.connection(0);
    peer.pause();
    const much = new Uint8Array(32 * 1024 * 1024);
    const sending = client.send(much);
    const isStuck = await Promise.race([sending.then(() => false), Bun.sleep(300).then(() => true)]);
    expect(isStuck).toBe(true);
    peer.discard();
    peer.resume();
    await sending;
    await peer.until(() => peer.receivedBytes >= much.length, "all of it", 10_000);
    client.peer.reset();
  });

  test("it is logged when it ends, with 101", async () => {
    await using upstream = startSwitching();
    await using gateway = await startProxy(upstream.url);
    const { client } = await openTunnel(gateway, "/tunnel");
    client.close();
    (await upstream.connection(0)).peer.close();
    expect(await gateway.logged(({ path }) => path === "/tunnel")).toMatchObject({ status: 101 });
  });
});

describe("WebSocket clients", () => {
  test("talk through the gateway as they would without it", async () => {
    using echo = startWebSocketEcho();
    await using gateway = await startProxy(echo.url);
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/chat`);
    const { promise: answer, resolve, reject } = Promise.withResolvers<unknown>();
    socket.onopen = () => socket.send("hello");
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = () => reject(new Error("the WebSocket failed"));
    expect(await answer).toBe("hello");
    const closed = new Promise<number>((done) => (socket.onclose = ({ code }) => done(code)));
    socket.close(1000);
    expect(await closed).toBe(1000);
  });
});
