import { describe, expect, test } from "bun:test";
import type { Exchange } from "../../../src/wire/exchange.ts";
import { headerList } from "../../../src/wire/header-list.ts";
import { authority } from "../../support/certificates.ts";
import { eventually } from "../../support/load.ts";
import { connectTls } from "../../support/tls-client.ts";
import { entry, serve, tlsFacts } from "./support.ts";

const LENGTH = 16 * 1024 * 1024;

function numbered(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(at, at);
  return bytes;
}

/** Answers with the request's own body, as it comes. */
function echo(exchange: Exchange): void {
  exchange.respond({ status: 200, reason: "OK", headers: headerList([]) }, exchange.body);
}

const https = (hasHttp2 = false) => serve([entry({ tls: tlsFacts(["a.test"]), hasHttp2 })], { onRequest: echo });

describe("bodies within TLS", () => {
  test("pass whole both ways at once, however slowly the client reads", async () => {
    using server = https();
    using client = await connectTls(server, { name: "a.test" });
    const bytes = numbered(LENGTH);
    client.raw.peer.pause();
    await client.raw.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${LENGTH}\r\n\r\n`);
    const sent = client.raw.send(bytes);
    await eventually(() => (server.exchanges[0]?.bytesReceived ?? 0) > 0, "the first bytes");
    client.raw.peer.resume();
    const response = await client.raw.response("POST", 20_000);
    await sent;
    expect(Bun.hash(response.body)).toBe(Bun.hash(bytes));
  }, 30_000);

  test("do not pile up in the gateway while the client does not read", async () => {
    using server = https();
    using client = await connectTls(server, { name: "a.test" });
    client.raw.peer.pause();
    await client.raw.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${4 * LENGTH}\r\n\r\n`);
    const sending = client.raw.send(numbered(4 * LENGTH)).catch(() => null);
    let before = -1;
    await eventually(() => {
      const now = server.exchanges[0]?.bytesReceived ?? 0;
      const isStill = now > 0 && now === before;
      before = now;
      return isStill;
    }, "the upload to stand still");
    expect(before).toBeLessThan(2 * LENGTH);
    client.raw.peer.reset();
    await sending;
    await eventually(() => server.gate.open === 0, "the connection to be let go");
  }, 30_000);

  test("pass whole with curl, over HTTP/1.1 and HTTP/2", async () => {
    using server = https(true);
    const bytes = numbered(LENGTH);
    const to = ["--connect-to", `::127.0.0.1:${server.port}`, "--cacert", authority().certPath];
    for (const version of ["--http1.1", "--http2"]) {
      const args = ["-s", version, ...to, "--data-binary", "@-", "-H", "Expect:", "https://a.test/"];
      const curl = Bun.spawn(["curl", ...args], { stdin: bytes, stdout: "pipe" });
      const got = Buffer.from(await new Response(curl.stdout).arrayBuffer());
      expect([version, got.length, Bun.hash(got)]).toEqual([version, LENGTH, Bun.hash(bytes)]);
    }
  }, 30_000);

  test("of a client that breaks off are seen to be broken", async () => {
    using server = https();
    using client = await connectTls(server, { name: "a.test" });
    await client.raw.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nabc");
    await client.raw.head("POST");
    client.raw.peer.reset();
    await eventually(() => server.exchanges[0]?.error?.code === "client_closed", "the break to be seen");
  });
});
