import { describe, expect, test } from "bun:test";
import { answer, forward, get, request } from "../support/forward.ts";
import { header, values } from "../support/message.ts";
import { ok } from "../support/upstream.ts";

describe("fields of the connection, towards the service (RFC 9110 7.6.1)", () => {
  test("what Connection names is removed, and nothing else", async () => {
    const { request } = await forward(get("Connection: X-Hop, close", "X-Hop: secret", "X-Keep: v"));
    expect(header(request, "x-hop")).toBeNull();
    expect(header(request, "x-keep")).toBe("v");
    expect(header(request, "connection") ?? "").not.toMatch(/x-hop/i);
  });

  test("the client's own Connection does not pass", async () => {
    const { request } = await forward(get("Connection: foo, bar"));
    expect(header(request, "connection") ?? "").not.toContain("foo");
  });

  test("several Connection lines are one list, whatever their case", async () => {
    const { request } = await forward(get("Connection: X-A", "connection: x-b", "X-A: 1", "X-B: 2"));
    expect(values(request, "x-a")).toEqual([]);
    expect(values(request, "x-b")).toEqual([]);
  });

  test.each(["Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic x"])(
    "%s does not pass",
    async (field) => {
      const { request } = await forward(get(field));
      expect(header(request, field.split(":")[0] ?? "")).toBeNull();
    },
  );

  test("TE says at most that trailers are wanted", async () => {
    const { request } = await forward(get("TE: trailers, gzip;q=0.5", "Connection: TE"));
    expect(header(request, "te") ?? "trailers").toBe("trailers");
  });

  test("an upgrade that names no way to tunnel does not stop the request", async () => {
    const { request, response } = await forward(
      get("Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
    );
    expect(header(request, "upgrade")).toBeNull();
    expect(header(request, "http2-settings")).toBeNull();
    expect(response.status).toBe(200);
  });

  test("Upgrade without Connection: upgrade does not pass", async () => {
    const { request } = await forward(get("Upgrade: websocket"));
    expect(header(request, "upgrade")).toBeNull();
  });

  test("a client cannot take away what the gateway writes, nor what belongs to the message", async () => {
    const { request } = await forward(
      get(
        "Connection: close, X-Forwarded-For, X-Forwarded-Proto, Authorization, Host, Cookie, Via, Forwarded",
        "Authorization: Bearer x",
        "Cookie: a=1",
      ),
    );
    for (const name of ["x-forwarded-for", "x-forwarded-proto", "host", "via", "forwarded"])
      expect(values(request, name)).toHaveLength(1);
    expect(header(request, "authorization")).toBe("Bearer x");
    expect(header(request, "cookie")).toBe("a=1");
  });

  test("naming Content-Length in Connection does not take the body's length away", async () => {
    const { request } = await forward(
      "POST /r HTTP/1.1\r\nHost: gw.test\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello",
    );
    expect(request.body.toString()).toBe("hello");
  });
});

describe("fields of the connection, towards the client", () => {
  test("what Connection of the service names does not pass", async () => {
    const { response } = await forward(get(), {
      answer: answer("200 OK", [
        "Connection: X-Hop, keep-alive",
        "Keep-Alive: timeout=5",
        "X-Hop: 1",
        "Content-Length: 0",
      ]),
    });
    expect(header(response, "x-hop")).toBeNull();
    expect(header(response, "keep-alive")).toBeNull();
  });

  test("chunked coding of the service is undone or made anew, never doubled", async () => {
    const { response } = await forward(get(), {
      answer: answer("200 OK", ["Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n\r\n"),
    });
    expect(response.body.toString()).toBe("hello");
    expect(values(response, "transfer-encoding").length + values(response, "content-length").length).toBe(1);
  });

  test("Upgrade of an ordinary response does not pass", async () => {
    const { response } = await forward(get(), { answer: ok("ok", "Upgrade: h2c", "Connection: Upgrade") });
    expect(header(response, "upgrade")).toBeNull();
  });
});

describe("persistence (RFC 9112 9.3)", () => {
  test("Connection: close of the client is said back and done, and nothing behind it is served", async () => {
    const { responses, state, response, requests } = await forward(get("Connection: close") + request("GET /second"));
    expect(responses).toHaveLength(1);
    expect(header(response, "connection")?.toLowerCase()).toContain("close");
    expect(state).not.toBe("open");
    expect(requests.map(({ target }) => target)).toEqual(["/r"]);
  });

  test("Connection: close of the service does not close the client's connection", async () => {
    const { responses, state } = await forward(get() + request("GET /second"), {
      answer: ok("ok", "Connection: close"),
      ends: "close",
      answers: 2,
    });
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    expect(header(responses[0] ?? { headers: [] }, "connection") ?? "").not.toContain("close");
    expect(state).toBe("open");
  });

  test("an HTTP/1.0 client gets no chunks, and its connection is closed", async () => {
    const { response, state } = await forward("GET /r HTTP/1.0\r\nHost: gw.test\r\n\r\n", {
      answer: answer("200 OK", ["Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n\r\n"),
    });
    expect(header(response, "transfer-encoding")).toBeNull();
    expect(response.body.toString()).toBe("hello");
    expect(state).not.toBe("open");
  });

  test("an HTTP/1.0 client that asks for keep-alive is told that it has it", async () => {
    const { response, state } = await forward("GET /r HTTP/1.0\r\nHost: gw.test\r\nConnection: keep-alive\r\n\r\n");
    expect(header(response, "connection")?.toLowerCase()).toBe("keep-alive");
    expect(state).toBe("open");
  });

  test("a connection stays usable for one request after another", async () => {
    const { responses } = await forward(get().repeat(3), { answers: 3 });
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});

describe("Via and loops (RFC 9110 7.6.3)", () => {
  test("a forwarded request tells that it came through a gateway", async () => {
    const { request } = await forward(get());
    expect(header(request, "via")).toMatch(/^1\.1 [^ ,]+$/);
  });

  test("the gateway stands behind those that were there before", async () => {
    const { request } = await forward(get("Via: 1.0 fred, 1.1 p.example.net"));
    expect(header(request, "via")).toMatch(/^1\.0 fred, ?1\.1 p\.example\.net, ?1\.1 [^ ,]+$/);
  });

  test("the version is the one in which the client spoke", async () => {
    const { request } = await forward("GET /r HTTP/1.0\r\nHost: gw.test\r\n\r\n");
    expect(header(request, "via")).toMatch(/^1\.0 /);
  });

  test("no internal name shows in a response", async () => {
    const { response } = await forward(get());
    expect(header(response, "via") ?? "").not.toMatch(/127\.|localhost|10\.|192\.168\./);
  });
});

describe("Max-Forwards (RFC 9110 7.6.2)", () => {
  test("OPTIONS that may go no further is answered by the gateway", async () => {
    const { response, requests } = await forward(request("OPTIONS /r", "Max-Forwards: 0"), { method: "OPTIONS" });
    expect([200, 204]).toContain(response.status);
    expect(requests).toEqual([]);
  });

  test("TRACE is refused", async () => {
    const { response, requests } = await forward(
      request("TRACE /r", "Max-Forwards: 0", "Cookie: s=1", "Authorization: Bearer x"),
    );
    expect([405, 501]).toContain(response.status);
    expect(response.body.toString()).not.toContain("Bearer x");
    expect(requests).toEqual([]);
  });

  test("it is one less for OPTIONS at the service", async () => {
    const { request: seen } = await forward(request("OPTIONS /r", "Max-Forwards: 5"), { method: "OPTIONS" });
    expect(values(seen, "max-forwards")).toEqual(["4"]);
  });

  test("other methods pass with it", async () => {
    const { response } = await forward(get("Max-Forwards: 0"));
    expect(response.status).toBe(200);
  });

  test("none is invented", async () => {
    const { request: seen } = await forward(request("OPTIONS /r"), { method: "OPTIONS" });
    expect(header(seen, "max-forwards")).toBeNull();
  });
});
