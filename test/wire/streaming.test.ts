import { describe, expect, test } from "bun:test";
import { answer, get, request } from "../support/forward.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { startProxy } from "../support.ts";

/** A service that answers the path of each request, but not before a call of `next`. */
function startGated(): Upstream & { readonly next: () => void } {
  const gates: PromiseWithResolvers<void>[] = [];
  const opened: PromiseWithResolvers<void>[] = [];
  const gate = () => {
    const waiting = opened.shift() ?? Promise.withResolvers<void>();
    gates.push(waiting);
    return waiting.promise;
  };
  const next = () => {
    const waiting = gates.shift();
    if (waiting !== undefined) return waiting.resolve();
    const early = Promise.withResolvers<void>();
    early.resolve();
    opened.push(early);
  };
  const upstream = startUpstream(async (connection) => {
    for (;;) {
      const { target } = await connection.request(600_000);
      await gate();
      await connection.send(ok(target));
    }
  });
  return { ...upstream, next };
}

describe("requests in a row", () => {
  test("five over a slow service are answered in their order", async () => {
    await using upstream = startGated();
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    const targets = ["/1", "/2", "/3", "/4", "/5"];
    await client.send(targets.map((target) => request(`GET ${target}`)).join(""));
    const bodies: string[] = [];
    for (const _ of targets) {
      expect(await client.staysQuiet(20)).toBe(true);
      upstream.next();
      bodies.push((await client.response()).body.toString());
    }
    expect(bodies).toEqual(targets);
  });

  test("one that is refused comes behind the answers of those before it, and nothing follows", async () => {
    await using upstream = startAnswering(({ target }) => ok(target));
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(request("GET /1") + request("GET /2") + get("Bad Header") + request("GET /4"));
    const statuses = [
      (await client.response()).status,
      (await client.response()).status,
      (await client.response()).status,
    ];
    expect(statuses).toEqual([200, 200, 400]);
    await client.peer.ending();
    expect(client.peer.text).toBe("");
    expect(upstream.requests.map(({ target }) => target)).toEqual(["/1", "/2"]);
  });

  test("bodies between them do not put them out of step", async () => {
    await using upstream = startAnswering(({ body }) => ok(body.toString()));
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    const chunked = `${request("POST /r", "Transfer-Encoding: chunked")}3\r\nabc\r\n0\r\n\r\n`;
    const plain = `${request("POST /r", "Content-Length: 2")}de`;
    await client.send(chunked + plain + get() + chunked);
    const bodies = [];
    for (let i = 0; i < 4; i++) bodies.push((await client.response()).body.toString());
    expect(bodies).toEqual(["abc", "de", "", "abc"]);
  });
});

describe("responses as they come", () => {
  test.each([
    ["of known length", "Content-Length: 5", "hello"],
    ["in chunks", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"],
  ])("the head of one %s leaves before its body", async (_, framing, body) => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(answer("200 OK", [framing]));
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(get());
    const head = await client.head();
    expect([head.status, head.isComplete, head.body.length]).toEqual([200, false, 0]);
    await (await upstream.connection(0)).send(body);
    expect((await client.response()).body.toString()).toBe("hello");
  });

  test("each event of a stream leaves as it comes", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(answer("200 OK", ["Content-Type: text/event-stream", "Transfer-Encoding: chunked"]));
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(get());
    await client.head();
    const service = await upstream.connection(0);
    for (const [at, event] of ["data: a\n\n", "data: b\n\n", "data: c\n\n"].entries()) {
      await service.send(`${event.length.toString(16)}\r\n${event}\r\n`);
      await client.peer.until(() => client.peer.text.includes(event), `event ${at}`);
    }
    await service.send("0\r\n\r\n");
    expect((await client.response()).body.toString()).toBe("data: a\n\ndata: b\n\ndata: c\n\n");
  });

  test("a body until close streams too", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(answer("200 OK", [], "first"));
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(get());
    await client.peer.until(() => client.peer.text.includes("first"), "the first bytes");
    const service = await upstream.connection(0);
    await service.send("second");
    service.peer.close();
    expect((await client.response()).body.toString()).toBe("firstsecond");
  });
});

describe("uploads as they come", () => {
  test("the service has the head and the first bytes before the rest is sent", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send(ok());
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(`${request("POST /r", "Content-Length: 10")}hello`);
    const service = await upstream.connection(0);
    await service.peer.until(() => service.peer.text.endsWith("hello"), "the first half");
    await client.send("world");
    expect((await client.response("POST")).status).toBe(200);
    expect(upstream.requests[0]?.body.toString()).toBe("helloworld");
  });

  test("one that trickles outlives every limit on silence", async () => {
    await using upstream = startAnswering(({ body }) => ok(body.toString()));
    const slow = { limits: { headerTimeout: "200ms", idleTimeout: "200ms" } };
    await using gateway = await startProxy(upstream.url, {
      torii: slow,
      service: { timeouts: { response: "300ms", idle: "300ms" } },
    });
    using client = await gateway.connect();
    await client.send(request("POST /r", "Content-Length: 10"));
    for (const octet of "0123456789") {
      await Bun.sleep(60);
      await client.send(octet);
    }
    expect((await client.response("POST")).body.toString()).toBe("0123456789");
  });

  test("one that falls silent is given up, at the service too", async () => {
    await using upstream = startUpstream(async (connection) => void (await connection.request()));
    await using gateway = await startProxy(upstream.url, { torii: { limits: { idleTimeout: "200ms" } } });
    using client = await gateway.connect();
    await client.send(`${request("POST /r", "Content-Length: 10")}hello`);
    const { message, state } = await client.outcome("POST");
    if (message !== null) expect(message.status).toBe(408);
    expect(message !== null || state !== "open").toBe(true);
    expect(["ended", "closed", "reset"]).toContain(await (await upstream.connection(0)).peer.ending());
  });

  test("an answer ahead of the body's end reaches the client, and the rest is no request", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.head();
      await connection.send(answer("413 Content Too Large", ["Connection: close", "Content-Length: 0"]));
      connection.peer.close();
    });
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(request("POST /r", "Content-Length: 1000000") + "x".repeat(1000));
    expect((await client.response("POST")).status).toBe(413);
    await client.send(request("GET /smuggled")).catch(() => {});
    await client.peer
      .until(() => client.peer.received.length > 0 || client.peer.state !== "open", "more", 150)
      .catch(() => {});
    expect(client.peer.text).toBe("");
  });

  test("a client that ends its sending side after the request still gets the answer", async () => {
    await using upstream = startGated();
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(get());
    client.peer.endSending();
    await upstream.taken(1);
    await client.peer.until(() => client.peer.state !== "open", "an end that must not come", 80).catch(() => {});
    expect(client.peer.state).toBe("open");
    upstream.next();
    expect((await client.responses()).at(-1)?.body.toString()).toBe("/r");
    expect(await client.peer.ending()).not.toBe("reset");
  });

  test("a client that ends its sending side after three requests gets three answers", async () => {
    await using upstream = startAnswering(({ target }) => ok(target));
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(request("GET /1") + request("GET /2") + request("GET /3"));
    client.peer.endSending();
    await client.peer.ending();
    const bodies: string[] = [];
    while (client.peer.received.length > 0) bodies.push((await client.responses()).at(-1)?.body.toString() ?? "");
    expect(bodies).toEqual(["/1", "/2", "/3"]);
  });

  test("a client that ends within a body takes the request with it", async () => {
    await using upstream = startUpstream(async (connection) => void (await connection.request()));
    await using gateway = await startProxy(upstream.url);
    using client = await gateway.connect();
    await client.send(`${request("POST /r", "Content-Length: 10")}hello`);
    const service = await upstream.connection(0);
    await service.peer.until(() => service.peer.text.endsWith("hello"), "the first half");
    client.peer.endSending();
    await service.peer.ending();
    expect(upstream.requests).toEqual([]);
  });
});

describe("limits of a body", () => {
  const limited = { torii: { limits: { bodyBytes: "1KiB" } } };

  test("a longer Content-Length is refused before the service is asked", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, limited);
    const response = await gateway.exchange(request("POST /r", "Content-Length: 2000"), "POST");
    expect(response.status).toBe(413);
    expect(header(response, "content-type")).toBe("application/problem+json");
    expect(upstream.connections).toHaveLength(0);
  });

  test("chunks over it are refused, and the service never sees a whole request", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, limited);
    const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
    const response = await gateway.exchange(
      `${request("POST /r", "Transfer-Encoding: chunked")}${chunk}${chunk}0\r\n\r\n`,
      "POST",
    );
    expect(response.status).toBe(413);
    expect(upstream.requests).toEqual([]);
  });

  test("a body of exactly the limit passes", async () => {
    await using upstream = startAnswering(({ body }) => ok(String(body.length)));
    await using gateway = await startProxy(upstream.url, limited);
    const response = await gateway.exchange(request("POST /r", "Content-Length: 1024") + "x".repeat(1024), "POST");
    expect(response.body.toString()).toBe("1024");
  });
});
