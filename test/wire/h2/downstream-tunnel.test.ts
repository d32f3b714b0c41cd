import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { FieldPairs } from "../../support/h2-upstream.ts";
import { header } from "../../support/message.ts";
import { startUpstream, type UpstreamConnection } from "../../support/upstream.ts";
import { startWebSocketEcho, textFrame } from "../../support/websocket.ts";
import { startProxy } from "../../support.ts";
import { CODE, connectFrames, request } from "./frame-client.ts";

const MB = 1024 * 1024;
const LISTENERS = [{ name: "http", address: "127.0.0.1", port: 0, http2: true }];

function proxyTo(url: string) {
  return startProxy(url, { torii: { listeners: LISTENERS } });
}

function websocket(path = "/ws", fields: FieldPairs = []): FieldPairs {
  return [...request(path, [], "CONNECT"), [":protocol", "websocket"], ["sec-websocket-version", "13"], ...fields];
}

/** Says yes to the upgrade of a connection, as an HTTP/1.1 server does. */
async function agree(connection: UpstreamConnection): Promise<void> {
  const asked = await connection.request();
  const key = header(asked, "sec-websocket-key") ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const fields = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`, "X-A: b"];
  await connection.send(`HTTP/1.1 101 Switching Protocols\r\n${fields.join("\r\n")}\r\n\r\n`);
}

describe("a WebSocket over HTTP/2 (RFC 8441)", () => {
  test("is asked for as HTTP/1.1 does, with a key of its own, and is a 200 to the client", async () => {
    await using upstream = startUpstream(agree);
    await using gateway = await proxyTo(upstream.url);
    using client = await connectFrames(gateway.port);
    await client.headers(
      1,
      websocket("/ws?x=1", [
        ["sec-websocket-protocol", "chat"],
        ["origin", "http://a.test"],
      ]),
      false,
    );
    await client.until(() => client.stream(1).status !== 0, "the response");
    const { fields } = client.stream(1);
    expect([fields[":status"], fields["x-a"], fields["sec-websocket-accept"], fields["upgrade"]]).toEqual([
      "200",
      "b",
      undefined,
      undefined,
    ]);
    const [seen = { headers: [], startLine: "" }] = upstream.requests;
    expect(seen.startLine).toBe("GET /ws?x=1 HTTP/1.1");
    const told = ["host", "upgrade", "connection", "sec-websocket-version", "sec-websocket-protocol", "origin"];
    expect(told.map((name) => header(seen, name))).toEqual([
      "gw.test",
      "websocket",
      "Upgrade",
      "13",
      "chat",
      "http://a.test",
    ]);
    expect(Buffer.from(header(seen, "sec-websocket-key") ?? "", "base64")).toHaveLength(16);
  });

  test("passes messages both ways, those that came before the response as well, and ends when both have", async () => {
    using echo = startWebSocketEcho();
    await using gateway = await proxyTo(echo.url);
    using client = await connectFrames(gateway.port);
    await client.headers(1, websocket(), false);
    await client.data(1, textFrame("early"));
    await client.until(() => client.received(1) >= 7, "the echo");
    await client.data(1, textFrame("later"));
    await client.until(() => client.received(1) >= 14, "the second echo");
    expect(client.stream(1).body.toString("latin1")).toBe("\x81\x05early\x81\x05later");
    // A close frame, answered in kind.
    await client.data(1, Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
    await client.until(() => client.stream(1).isEnded, "the end");
    expect(client.stream(1).body.subarray(-4).toString("hex")).toBe("880203e8");
    await client.data(1, "", true);
    expect(await gateway.logged(({ path }) => path === "/ws")).toMatchObject({ status: 200, bytesSent: 18 });
  });

  test("passes a refusal of the server's as it is", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 4\r\n\r\nnope");
    });
    await using gateway = await proxyTo(upstream.url);
    using client = await connectFrames(gateway.port);
    await client.headers(1, websocket(), false);
    const { status, fields, body } = await client.response(1);
    expect([status, fields["x-why"], body.toString()]).toEqual([403, "no", "nope"]);
  });

  test("is refused when the server did not read the key", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
      );
    });
    await using gateway = await proxyTo(upstream.url);
    using client = await connectFrames(gateway.port);
    await client.headers(1, websocket(), false);
    expect((await client.response(1)).status).toBe(502);
  });

  test("passes resets both ways", async () => {
    await using upstream = startUpstream(agree);
    await using gateway = await proxyTo(upstream.url);
    using client = await connectFrames(gateway.port);
    for (const id of [1, 3]) await client.headers(id, websocket(`/${id}`), false);
    for (const id of [1, 3]) await client.until(() => client.stream(id).status === 200, "the response");
    await upstream.taken(2);
    const first = upstream.connections[upstream.requests.findIndex(({ target }) => target === "/1")];
    const second = upstream.connections[upstream.requests.findIndex(({ target }) => target === "/3")];
    await client.reset(1);
    expect(await first?.peer.closing()).toBe("reset");
    second?.peer.reset();
    expect(await client.resetOf(3)).toBe(CODE.cancel);
    await client.settled();
    expect(client.goAway).toBeNull();
  });

  test("passes a half-close of the client's, and one of the server's", async () => {
    await using upstream = startUpstream(agree);
    await using gateway = await proxyTo(upstream.url);
    using client = await connectFrames(gateway.port);
    await client.headers(1, websocket(), false);
    await client.until(() => client.stream(1).status === 200, "the response");
    const [connection] = upstream.connections;
    await client.data(1, "last", true);
    await connection?.peer.take(4);
    expect(await connection?.peer.ending()).toBe("ended");
    await connection?.send("answer");
    connection?.peer.endSending();
    expect((await client.response(1)).body.toString()).toBe("answer");
  });

  test("holds back a server that is faster than the client's window", async () => {
    await using upstream = startUpstream(agree);
    await using gateway = await proxyTo(upstream.url);
    using client = await connectFrames(gateway.port, { opensWindows: false });
    await client.headers(1, websocket(), false);
    await client.until(() => client.stream(1).status === 200, "the response");
    const [connection] = upstream.connections;
    const sending = connection?.send(Buffer.alloc(64 * MB, "x"));
    await client.until(() => client.received(1) === 65_535, "the window to fill");
    await client.settled();
    expect(client.received(1)).toBe(65_535);
    await client.window(0, 1000 * MB);
    await client.window(1, 1000 * MB);
    await client.until(() => client.received(1) === 64 * MB, "all of it", 20_000);
    await sending;
  }, 30_000);

  test("holds back a client that is faster than the server", async () => {
    await using upstream = startUpstream(agree);
    await using gateway = await proxyTo(upstream.url);
    using client = await connectFrames(gateway.port);
    await client.headers(1, websocket(), false);
    await client.until(() => client.stream(1).status === 200, "the response");
    const [connection] = upstream.connections;
    connection?.peer.pause();
    const piece = Buffer.alloc(16_384, "x");
    const allowed = () => Math.min(client.windows.get(1) ?? 0, client.windows.get(0) ?? 0) + 65_535;
    let sent = 0;
    const send = async (most: number) => {
      while (sent < most) {
        await client.until(() => allowed() - sent >= piece.length, "the window to open", sent > MB ? 1000 : 4000);
        await client.data(1, piece);
        sent += piece.length;
      }
    };
    // What the kernel and the gateway hold is far from this.
    await expect(send(64 * MB)).rejects.toThrow("waited for the window to open");
    expect(sent).toBeLessThan(32 * MB);
    connection?.peer.discard();
    connection?.peer.resume();
    await send(64 * MB);
    await client.data(1, "", true);
    await connection?.peer.ending(20_000);
    expect(connection?.peer.receivedBytes).toBeGreaterThanOrEqual(64 * MB);
  }, 60_000);
});
