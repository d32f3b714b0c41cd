import { describe, expect, test } from "bun:test";
import { answer, forward, get, request } from "../support/forward.ts";
import { header } from "../support/message.ts";
import { ok, startUpstream } from "../support/upstream.ts";
import { startProxy } from "../support.ts";

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const EXPECTING = request("POST /r", "Expect: 100-continue", "Content-Length: 5");

describe("Expect: 100-continue (RFC 9110 10.1.1)", () => {
  test("the service is asked, and its 100 is what the client gets", async () => {
    await using upstream = startUpstream(async (connection) => {
      const head = await connection.head();
      expect(header(head, "expect")?.toLowerCase()).toBe("100-continue");
      expect(head.body).toHaveLength(0);
      await connection.send(CONTINUE);
      await connection.request();
      await connection.send(ok("thanks"));
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(EXPECTING);
    expect((await client.response("POST")).status).toBe(100);
    await client.send("hello");
    expect((await client.response("POST")).body.toString()).toBe("thanks");
    expect(upstream.requests[0]?.body.toString()).toBe("hello");
  });

  test("no 100 comes before the service gives one", async () => {
    await using upstream = startUpstream(async (connection) => void (await connection.head()));
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(EXPECTING);
    await (await upstream.connection(0)).head();
    expect(await client.staysQuiet(100)).toBe(true);
  });

  test("a refusal of the service comes before any body", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.head();
      await connection.send(answer("417 Expectation Failed", ["Content-Length: 0"]));
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(EXPECTING);
    expect((await client.response("POST")).status).toBe(417);
    expect(upstream.connections[0]?.peer.text).toEndWith("\r\n\r\n");
  });

  test("after a refusal, what the client still sends is its body or nothing, never a request", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.head();
      await connection.send(answer("413 Content Too Large", ["Content-Length: 0"]));
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(request("POST /r", "Expect: 100-continue", `Content-Length: ${get().length}`));
    expect((await client.response("POST")).status).toBe(413);
    await client.send(get());
    await client.peer.ending(500).catch(() => {});
    expect(client.peer.text).toBe("");
  });

  test("a client that does not wait is served all the same", async () => {
    const { request: seen, responses } = await forward(`${EXPECTING}hello`, { method: "POST" });
    expect(seen.body.toString()).toBe("hello");
    expect(responses.at(-1)?.status).toBe(200);
  });

  test("the gateway's own refusal comes without a 100", async () => {
    const { responses, requests } = await forward(EXPECTING, {
      method: "POST",
      route: { matches: [{ path: "/other" }] },
    });
    expect(responses.map(({ status }) => status)).toEqual([404]);
    expect(requests).toEqual([]);
  });

  test("an HTTP/1.0 client gets no 100", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.send(CONTINUE);
      await connection.request();
      await connection.send(ok());
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send("POST /r HTTP/1.0\r\nHost: gw.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    expect((await client.response("POST")).status).toBe(200);
  });
});

describe("other interim responses (RFC 9110 15.2)", () => {
  const hints = answer("103 Early Hints", ["Link: </a.css>; rel=preload", "Link: </b.js>; rel=preload"]);

  test("103 passes with its fields, ahead of the answer", async () => {
    const { responses } = await forward(get(), { answer: hints + ok() });
    expect(responses.map(({ status }) => status)).toEqual([103, 200]);
    expect(responses[0]?.headers.filter(([name]) => name === "Link")).toHaveLength(2);
  });

  test("several pass in order", async () => {
    const { responses } = await forward(get(), { answer: answer("102 Processing", []) + hints + ok() });
    expect(responses.at(-1)?.status).toBe(200);
    expect(responses.map(({ status }) => status)).toContain(103);
  });

  test("103 passes at once, long before the answer", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(hints);
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(get());
    expect((await client.response()).status).toBe(103);
  });

  test("an HTTP/1.0 client gets none", async () => {
    const { responses } = await forward("GET /r HTTP/1.0\r\nHost: gw.test\r\n\r\n", { answer: hints + ok() });
    expect(responses.map(({ status }) => status)).toEqual([200]);
  });

  test("101 to a request that asked for no upgrade becomes 502", async () => {
    const { response } = await forward(get(), {
      answer: answer("101 Switching Protocols", ["Upgrade: websocket", "Connection: Upgrade"]),
    });
    expect(response.status).toBe(502);
  });

  test("interim responses without end do not go on for ever", async () => {
    const { responses } = await forward(get(), { answer: hints.repeat(2000) });
    expect(responses.at(-1)?.status).toBe(502);
  });
});
