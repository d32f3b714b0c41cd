import { describe, expect, test } from "bun:test";
import { authority } from "../support/certificates.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { handshake, SAMPLE_ACCEPT, SWITCHING } from "../support/websocket.ts";
import { startProxy } from "../support.ts";

const ca = authority();
const { cert, key } = ca.issue({ otherNames: ["IP:127.0.0.1"] });
const tls = { cert, key };
const own = ca.issue({ commonName: "gateway", usage: "client" });

const through = (url: string, options = {}) => startProxy(url, { service: { tls: { ca: ca.certPath, ...options } } });

describe("a service over TLS", () => {
  test("gets requests and gives responses as one in the clear does", async () => {
    await using upstream = startAnswering((request) => ok(request.target), { tls });
    await using gateway = await through(upstream.url);
    const response = await gateway.exchange("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n");
    expect([response.status, response.body.toString()]).toEqual([200, "/a?b"]);
    expect(header(upstream.requests[0] ?? { headers: [] }, "x-forwarded-proto")).toBe("http");
  });

  test("is shown the gateway's certificate", async () => {
    const asking = { ...tls, requestCert: true, rejectUnauthorized: true, ca: ca.cert };
    await using upstream = startAnswering(() => ok(), { tls: asking });
    await using gateway = await through(upstream.url, { cert: own.certPath, key: own.keyPath });
    expect((await gateway.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")).status).toBe(200);
  });

  test("whose certificate is not accepted gets nothing, and the client is told no more than that", async () => {
    const other = authority("Another CA").issue({ otherNames: ["IP:127.0.0.1"] });
    await using upstream = startAnswering(() => ok(), { tls: { cert: other.cert, key: other.key } });
    await using gateway = await through(upstream.url);
    const response = await gateway.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(response.status).toBe(502);
    expect(JSON.parse(response.body.toString())).toMatchObject({
      type: "urn:torii:problem:upstream_connect",
      detail: "The upstream's certificate was not accepted.",
    });
    expect(upstream.requests).toEqual([]);
  });

  test("takes and gives large bodies whole, at the reader's pace", async () => {
    const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)));
    const body = Buffer.concat(new Array<Buffer>(160).fill(bytes));
    await using upstream = startAnswering((request) => echoOf(request.body), { tls });
    await using gateway = await through(upstream.url);
    const response = await fetch(gateway.url, { method: "POST", body });
    const back = Buffer.from(await response.arrayBuffer());
    expect(back.equals(body)).toBe(true);
  });

  test("passes a WebSocket's bytes, half-closes and all", async () => {
    await using upstream = startUpstream(
      async (connection) => {
        await connection.request();
        await connection.send(SWITCHING);
        await connection.peer.take(4);
        await connection.send("pong");
        await connection.peer.ending();
        connection.peer.close();
      },
      { tls },
    );
    await using gateway = await through(upstream.url);
    const client = await gateway.connect();
    await client.send(handshake());
    const response = await client.response();
    expect([response.status, header(response, "sec-websocket-accept")]).toEqual([101, SAMPLE_ACCEPT]);
    await client.send("ping");
    expect((await client.peer.take(4)).toString()).toBe("pong");
    client.peer.endSending();
    expect(await client.peer.ending()).not.toBe("reset");
  });
});

function echoOf(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]);
}
