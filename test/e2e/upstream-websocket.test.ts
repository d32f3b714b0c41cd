import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { type H2Request, startH2Upstream, TYPE } from "../support/h2-upstream.ts";
import { header, parseResponse } from "../support/message.ts";
import { startProxy } from "../support.ts";

const ALLOWS_CONNECT = [[8, 1]] as const;
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const REQUEST = [
  "GET /chat?room=1 HTTP/1.1",
  "Host: gw.test",
  "Connection: Upgrade",
  "Upgrade: websocket",
  `Sec-WebSocket-Key: ${KEY}`,
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Protocol: chat",
  "",
  "",
].join("\r\n");

const throughH2c = (url: string) => startProxy(url, { service: { protocol: "h2c" } });

describe("a WebSocket to an HTTP/2 endpoint", () => {
  test("is an extended CONNECT there, and a 101 with the right proof for an HTTP/1.1 client", async () => {
    const seen = Promise.withResolvers<H2Request>();
    await using upstream = startH2Upstream(
      async (connection) => {
        const request = await connection.request();
        seen.resolve(request);
        await connection.headers(request.streamId, [
          [":status", "200"],
          ["sec-websocket-protocol", "chat"],
        ]);
        await connection.data(request.streamId, "early");
      },
      { settings: ALLOWS_CONNECT },
    );
    await using gateway = await throughH2c(upstream.url);
    const client = await gateway.connect();
    await client.send(REQUEST);
    await client.peer.until(() => client.peer.text.endsWith("early"), "the first bytes");
    const response = parseResponse(client.peer.received);
    const proof = createHash("sha1").update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    expect(response).toMatchObject({ status: 101 });
    if (response === null) throw new Error("there is no response");
    expect([header(response, "sec-websocket-accept"), header(response, "upgrade")]).toEqual([proof, "websocket"]);
    expect(header(response, "sec-websocket-protocol")).toBe("chat");
    const { fields, isEnd } = await seen.promise;
    expect(isEnd).toBe(false);
    expect(fields).toMatchObject({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":path": "/chat?room=1",
      ":authority": "gw.test",
      "sec-websocket-version": "13",
      "sec-websocket-protocol": "chat",
    });
    for (const name of ["sec-websocket-key", "connection", "upgrade"]) expect(fields).not.toHaveProperty(name);
    client.peer.reset();
  });

  test("passes bytes and half-closes both ways", async () => {
    await using upstream = startH2Upstream(
      async (connection) => {
        const { streamId } = await connection.request();
        await connection.headers(streamId, [[":status", "200"]]);
        for (;;) {
          const { payload, flags } = await connection.next(TYPE.data, streamId);
          await connection.data(streamId, payload.toString().toUpperCase(), flags === 1);
          if (flags === 1) return;
        }
      },
      { settings: ALLOWS_CONNECT },
    );
    await using gateway = await throughH2c(upstream.url);
    const client = await gateway.connect();
    await client.send(REQUEST);
    await client.peer.until(() => client.peer.text.includes("\r\n\r\n"), "the switch");
    client.peer.consume(client.peer.text.indexOf("\r\n\r\n") + 4);
    await client.send("one ");
    await client.peer.until(() => client.peer.text === "ONE ", "an echo");
    await client.send("two");
    client.peer.endSending();
    await client.peer.ending();
    expect(client.peer.text).toBe("ONE TWO");
    expect(await gateway.logged(({ status }) => status === 101)).toMatchObject({ service: "upstream" });
  });

  test("ends with a reset for the client when the stream is reset, and the other way round", async () => {
    await using upstream = startH2Upstream(
      async (connection) => {
        const { streamId } = await connection.request();
        await connection.headers(streamId, [[":status", "200"]]);
        await connection.next(TYPE.data, streamId);
        if (streamId === 1) await connection.reset(streamId, 2);
      },
      { settings: ALLOWS_CONNECT },
    );
    await using gateway = await throughH2c(upstream.url);
    const client = await gateway.connect();
    await client.send(`${REQUEST}x`);
    expect(await client.peer.closing()).toBe("reset");
    const second = await gateway.connect();
    await second.send(REQUEST);
    const connection = await upstream.connection(0);
    const { streamId } = await connection.request();
    await connection.headers(streamId, [[":status", "200"]]);
    await second.peer.until(() => second.peer.text.includes("\r\n\r\n"), "the switch");
    second.peer.reset();
    expect((await connection.next(TYPE.reset, streamId)).payload.readUInt32BE(0)).toBe(8);
  });

  test("that the endpoint refuses is an ordinary response", async () => {
    await using upstream = startH2Upstream(
      async (connection) => {
        const { streamId } = await connection.request();
        await connection.headers(streamId, [
          [":status", "403"],
          ["x-why", "not you"],
        ]);
        await connection.data(streamId, "go away", true);
      },
      { settings: ALLOWS_CONNECT },
    );
    await using gateway = await throughH2c(upstream.url);
    const response = await gateway.exchange(REQUEST);
    expect([response.status, header(response, "x-why"), response.body.toString()]).toEqual([403, "not you", "go away"]);
  });

  test("is refused with a clear word when the endpoint takes none", async () => {
    await using upstream = startH2Upstream(async () => {});
    await using gateway = await throughH2c(upstream.url);
    const response = await gateway.exchange(REQUEST);
    expect(response.status).toBe(502);
    expect(JSON.parse(response.body.toString())).toMatchObject({
      type: "urn:torii:problem:upstream_protocol",
      detail: "The upstream takes no WebSockets over HTTP/2.",
    });
  });
});
