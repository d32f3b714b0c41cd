import { describe, expect, test } from "bun:test";
import { answer, forward, get, request } from "../support/forward.ts";
import { header, values } from "../support/message.ts";
import { ok } from "../support/upstream.ts";

const OWN = new Set(["host", "via", "forwarded", "x-request-id", "connection", "content-length", "traceparent"]);

describe("fields of a request", () => {
  test("case, order and duplicates stay as they were sent", async () => {
    const sent = ["X-A: 1", "x-B: x", "X-A: 2", "ACCEPT: */*", "cookie: a=1", "Cookie: b=2"];
    const { request: seen } = await forward(get(...sent));
    const foreign = seen.headers.filter(([name]) => !OWN.has(name.toLowerCase()) && !/^x-forwarded-/i.test(name));
    expect(foreign.map(([name, value]) => `${name}: ${value}`)).toEqual(sent);
  });

  test.each([
    ["X-Whatever", "1"],
    ["Authorization", "Basic  dXNlcjpwYXNz"],
    ["Range", "bytes=0-1"],
    ["If-Range", '"a"'],
    ["X-Obs", "caf\xe9 \xff"],
    ["X-Empty", ""],
    ["X-Tab", "a\tb"],
    ["Accept-Encoding", "gzip;q=0.5, br"],
  ])("%s arrives octet by octet", async (name, value) => {
    const { request: seen } = await forward(get(`${name}: ${value}`));
    expect(values(seen, name)).toEqual([value]);
  });

  test("nothing is invented beside what the gateway says of itself and the client", async () => {
    const { request: seen } = await forward(get());
    const names = seen.headers
      .map(([name]) => name.toLowerCase())
      .filter((name) => !OWN.has(name) && !name.startsWith("x-forwarded-"));
    expect(names).toEqual([]);
  });

  test("the service gets the request's id, which the client cannot choose", async () => {
    const { request: seen } = await forward(get("X-Request-Id: chosen"));
    expect(values(seen, "x-request-id")).toHaveLength(1);
    expect(header(seen, "x-request-id")).not.toBe("chosen");
  });
});

describe("fields of a response", () => {
  test("case, order and duplicates stay as the service sent them", async () => {
    const sent = [
      "X-Else: 2",
      "SET-COOKIE: a=1; Path=/",
      "x-b: 1",
      "Set-Cookie: b=2; Expires=Wed, 09 Jun 2100 10:18:14 GMT",
      "X-Else: 3",
    ];
    const { response } = await forward(get(), { answer: answer("200 OK", [...sent, "Content-Length: 0"]) });
    const wanted = new Set(["x-else", "set-cookie", "x-b"]);
    expect(
      response.headers.filter(([name]) => wanted.has(name.toLowerCase())).map(([name, value]) => `${name}: ${value}`),
    ).toEqual(sent);
  });

  test.each([
    ["401 Unauthorized", "WWW-Authenticate", 'Basic realm="a, b", Bearer'],
    ["405 Method Not Allowed", "Allow", "GET, HEAD"],
    ["302 Found", "Location", "http://other.test/x"],
    ["200 OK", "Server", "b/1"],
    ["200 OK", "X-Obs", "caf\xe9"],
    ["200 OK", "RateLimit", '"up";r=1;t=9'],
  ])("%s passes with its %s", async (status, name, value) => {
    const { response } = await forward(get(), { answer: answer(status, [`${name}: ${value}`, "Content-Length: 0"]) });
    expect(`${response.status} ${response.reason}`).toBe(status);
    expect(values(response, name)).toEqual([value]);
  });

  test("Date is added where it is missing and kept where it is not", async () => {
    const added = await forward(get());
    expect(Date.parse(header(added.response, "date") ?? "")).toBeGreaterThan(0);
    const kept = await forward(get(), { answer: ok("ok", "Date: Tue, 15 Nov 1994 08:12:31 GMT") });
    expect(values(kept.response, "date")).toEqual(["Tue, 15 Nov 1994 08:12:31 GMT"]);
  });

  test("an unknown status and a missing reason pass", async () => {
    const { response } = await forward(get(), { answer: "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n" });
    expect(response.status).toBe(299);
  });

  test("a status line that ends behind the code passes", async () => {
    const { response } = await forward(get(), { answer: "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok" });
    expect(response.body.toString()).toBe("ok");
  });

  test("a part of a document passes", async () => {
    const { response, request: seen } = await forward(get("Range: bytes=0-1", 'If-Range: "a"'), {
      answer: answer("206 Partial Content", ["Content-Range: bytes 0-1/5", "Content-Length: 2"], "he"),
    });
    expect([response.status, header(response, "content-range"), response.body.toString()]).toEqual([
      206,
      "bytes 0-1/5",
      "he",
    ]);
    expect(header(seen, "if-range")).toBe('"a"');
  });

  test("compressed content passes as it is, with coding, length and tag", async () => {
    const gzip = Buffer.from(Bun.gzipSync(new Uint8Array()));
    const bytes = Buffer.concat([
      Buffer.from(answer("200 OK", ["Content-Encoding: gzip", 'ETag: "x"', `Content-Length: ${gzip.length}`])),
      gzip,
    ]);
    const { response } = await forward(get("Accept-Encoding: gzip"), { answer: bytes });
    expect([header(response, "content-encoding"), header(response, "etag"), response.framing]).toEqual([
      "gzip",
      '"x"',
      "length",
    ]);
    expect(response.body).toEqual(gzip);
  });

  test("nothing is compressed that nobody asked the gateway to compress", async () => {
    const text = "x".repeat(5000);
    const { response } = await forward(get("Accept-Encoding: gzip"), {
      answer: ok(text, "Cache-Control: no-transform"),
    });
    expect(header(response, "content-encoding")).toBeNull();
    expect(response.body.toString()).toBe(text);
  });

  test("a problem of the service passes unchanged", async () => {
    const body = '{"title":"bad"}';
    const { response } = await forward(get(), {
      answer: answer(
        "422 Unprocessable Content",
        ["Content-Type: application/problem+json", `Content-Length: ${body.length}`],
        body,
      ),
    });
    expect([response.status, header(response, "content-type"), response.body.toString()]).toEqual([
      422,
      "application/problem+json",
      body,
    ]);
  });

  test("a redirect is not followed", async () => {
    const { requests } = await forward(request("GET /r"), {
      answer: answer("302 Found", ["Location: /elsewhere", "Content-Length: 0"]),
    });
    expect(requests).toHaveLength(1);
  });
});
