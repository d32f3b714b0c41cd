import { describe, expect, test } from "bun:test";
import type { ErrorCode } from "../../src/errors.ts";
import { parseRequest } from "../../src/wire/parse-request.ts";
import { codeOf, HEAD_LIMITS, parsed } from "./parts.ts";

const HOST = "Host: gw.test";

/** A GET of / with these fields. */
function withFields(...fields: readonly string[]) {
  return parsed("GET / HTTP/1.1", HOST, ...fields);
}

describe("a request line", () => {
  test.each([
    ["GET / HTTP/1.1", "GET", "/", 1],
    ["GET / HTTP/1.0", "GET", "/", 0],
    ["HEAD /a?b=c HTTP/1.1", "HEAD", "/a?b=c", 1],
    ["PROPFIND /x HTTP/1.1", "PROPFIND", "/x", 1],
    ["get / HTTP/1.1", "get", "/", 1],
    ["GET //a/../%2e%2f;p?q='\"<>{}|\\^` HTTP/1.1", "GET", "//a/../%2e%2f;p?q='\"<>{}|\\^`", 1],
    ["GET /\x80\xff HTTP/1.1", "GET", "/\x80\xff", 1],
    ["OPTIONS * HTTP/1.1", "OPTIONS", "*", 1],
    ["GET http://gw.test HTTP/1.1", "GET", "/", 1],
    ["GET HTTP://gw.test/a?b HTTP/1.1", "GET", "/a?b", 1],
    ["GET https://gw.test?b HTTP/1.1", "GET", "/?b", 1],
  ])("%j is understood", (line, method, target, minor) => {
    expect(parsed(line, HOST)).toMatchObject({ method, target, minor });
  });

  const refused: readonly (readonly [line: string, code: ErrorCode])[] = [
    ["", "bad_request"],
    ["GET", "bad_request"],
    ["GET /", "bad_request"],
    ["GET HTTP/1.1", "bad_request"],
    ["GET  HTTP/1.1", "bad_request"],
    [" GET / HTTP/1.1", "bad_request"],
    ["GET  / HTTP/1.1", "bad_request"],
    ["GET /  HTTP/1.1", "bad_request"],
    ["GET / HTTP/1.1 ", "bad_request"],
    ["GET\t/ HTTP/1.1", "bad_request"],
    ["GET /a b HTTP/1.1", "bad_request"],
    ["GET /#f HTTP/1.1", "bad_request"],
    ["G(T / HTTP/1.1", "bad_request"],
    ["GET a HTTP/1.1", "bad_request"],
    ["GET * HTTP/1.1", "bad_request"],
    ["GET ?a HTTP/1.1", "bad_request"],
    ["GET ftp://gw.test/ HTTP/1.1", "bad_request"],
    ["GET http:///a HTTP/1.1", "bad_request"],
    ["GET http://u@gw.test/ HTTP/1.1", "bad_request"],
    ["GET / http/1.1", "bad_request"],
    ["GET / HTTP/1.1.1", "bad_request"],
    ["GET / HTTP/11", "bad_request"],
    ["GET / HTTP/1.2", "version_not_supported"],
    ["GET / HTTP/2.0", "version_not_supported"],
    ["GET / HTTP/0.9", "version_not_supported"],
    ["CONNECT gw.test:443 HTTP/1.1", "method_not_allowed"],
    ["TRACE / HTTP/1.1", "method_not_allowed"],
  ];
  test.each(refused)("%j is refused with %s", (line, code) => {
    expect(codeOf(() => parsed(line, HOST))).toBe(code);
  });

  test("may have a target as long as the limit", () => {
    const get = (length: number) => parsed(`GET /${"a".repeat(length - 1)} HTTP/1.1`, HOST);
    expect(get(HEAD_LIMITS.uriBytes).target).toHaveLength(HEAD_LIMITS.uriBytes);
    expect(codeOf(() => get(HEAD_LIMITS.uriBytes + 1))).toBe("uri_too_long");
  });

  test("is read alone where there are no fields", () => {
    expect(parsed("GET / HTTP/1.0")).toMatchObject({ host: "", authority: "", keepsAlive: false });
  });
});

describe("a host", () => {
  test.each([
    ["Shop.Example.COM", "shop.example.com"],
    ["shop.example.com.", "shop.example.com"],
    ["shop.example.com:8080", "shop.example.com"],
    ["shop.example.com.:80", "shop.example.com"],
    ["a_b-c.d", "a_b-c.d"],
    ["192.0.2.1:1", "192.0.2.1"],
    ["[::1]", "[::1]"],
    ["[2001:DB8::1]:443", "[2001:db8::1]"],
    ["gw.test:", "gw.test"],
  ])("%s is %s", (authority, host) => {
    const head = parsed("GET / HTTP/1.1", `Host: ${authority}`);
    expect([head.host, head.authority]).toEqual([host, authority]);
    expect(parsed("GET / HTTP/1.1", `Host: ${authority}`).host).toBe(host);
  });

  test.each([
    "",
    "a b",
    "a,b",
    "a/b",
    "a@b",
    "a:b",
    "a:123456",
    "::1",
    "[::1",
    "[g]",
    "a?b",
    "a\\b",
    "h\xe9",
    "a:80:80",
  ])("%j is none", (authority) => {
    expect(codeOf(() => parsed("GET / HTTP/1.1", `Host: ${authority}`))).toBe("bad_request");
  });

  test("must be there once, but for HTTP/1.0", () => {
    expect(codeOf(() => parsed("GET / HTTP/1.1"))).toBe("bad_request");
    expect(codeOf(() => parsed("GET / HTTP/1.1", HOST, HOST))).toBe("bad_request");
    expect(codeOf(() => parsed("GET / HTTP/1.0", HOST, HOST))).toBe("bad_request");
    expect(parsed("GET / HTTP/1.0").host).toBe("");
  });

  test("of an absolute target wins over the field, which must be there all the same", () => {
    const head = parsed("GET http://Other.test:81/a HTTP/1.1", HOST);
    expect(head).toMatchObject({ host: "other.test", authority: "Other.test:81", target: "/a" });
    expect(codeOf(() => parsed("GET http://other.test/a HTTP/1.1"))).toBe("bad_request");
    expect(codeOf(() => parsed("GET http://other.test/a HTTP/1.1", HOST, HOST))).toBe("bad_request");
  });
});

describe("framing", () => {
  test("is told by Content-Length or by Transfer-Encoding", () => {
    expect(withFields()).toMatchObject({ contentLength: -1, isChunked: false });
    expect(withFields("content-length:\t7 ")).toMatchObject({ contentLength: 7, isChunked: false });
    expect(withFields("Transfer-Encoding: Chunked")).toMatchObject({ contentLength: -1, isChunked: true });
  });

  const refused: readonly (readonly [what: string, fields: readonly string[], code?: ErrorCode])[] = [
    ["both", ["Content-Length: 1", "Transfer-Encoding: chunked"]],
    ["both, the other way round", ["Transfer-Encoding: chunked", "Content-Length: 1"]],
    ["both, with a length of 0", ["Transfer-Encoding: chunked", "Content-Length: 0"]],
    ["two lengths that differ", ["Content-Length: 1", "Content-Length: 2"]],
    ["two lengths that are equal", ["Content-Length: 1", "Content-Length: 1"]],
    ["a list of lengths", ["Content-Length: 1, 1"]],
    ["a length with a sign", ["Content-Length: +1"]],
    ["an empty length", ["Content-Length:"]],
    ["a length of 16 digits", ["Content-Length: 1000000000000000"]],
    ["chunked twice", ["Transfer-Encoding: chunked, chunked"]],
    ["two fields of coding", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
    ["a coding in front, in a field of its own", ["Transfer-Encoding: identity", "Transfer-Encoding: chunked"]],
    ["identity", ["Transfer-Encoding: identity"]],
    ["chunked that is not last", ["Transfer-Encoding: chunked, gzip"]],
    ["a coding with a parameter", ["Transfer-Encoding: chunked;a=b"]],
    ["an odd coding", ["Transfer-Encoding: xchunked"]],
    ["a quoted coding", ['Transfer-Encoding: "chunked"']],
    ["an empty coding", ["Transfer-Encoding:"]],
    ["a coding before chunked", ["Transfer-Encoding: gzip, chunked"], "not_implemented"],
  ];
  test.each(refused)("is refused for %s", (_, fields, code = "bad_request") => {
    expect(codeOf(() => withFields(...fields))).toBe(code);
  });

  test("by chunks is not for HTTP/1.0", () => {
    expect(codeOf(() => parsed("POST / HTTP/1.0", HOST, "Transfer-Encoding: chunked"))).toBe("bad_request");
  });
});

describe("a connection", () => {
  test.each([
    ["1.1", [], true],
    ["1.1", ["Connection: close"], false],
    ["1.1", ["Connection: Keep-Alive, CLOSE"], false],
    ["1.1", ["Connection: x", "Connection: close"], false],
    ["1.1", ["Connection: close", "Connection: x"], false],
    ["1.1", ["Connection: closed"], true],
    ["1.0", ["Connection: close, keep-alive"], false],
    ["1.0", [], false],
    ["1.0", ["Connection: keep-alive"], true],
    ["1.0", ["Connection: x, Keep-Alive"], true],
  ] as const)("of HTTP/%s with %j is kept: %p", (version, fields, isKept) => {
    expect(parsed(`GET / HTTP/${version}`, HOST, ...fields).keepsAlive).toBe(isKept);
  });
});

describe("an upgrade", () => {
  const websocket = ["Connection: keep-alive, Upgrade", "Upgrade: WebSocket"] as const;

  test("is seen when both fields ask for it", () => {
    expect(withFields(...websocket).upgrade).toBe("websocket");
  });

  test.each([
    ["Connection does not name it", ["Upgrade: websocket"]],
    ["there is no protocol", ["Connection: Upgrade"]],
    ["it is h2c, which would leave HTTP/1.1's hands", ["Connection: Upgrade", "Upgrade: h2c"]],
    ["it is h2", ["Connection: Upgrade", "Upgrade: h2"]],
    ["h2c is one of several", ["Connection: Upgrade", "Upgrade: websocket, h2c"]],
    ["h2c stands in another field", ["Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"]],
    ["it is another version of HTTP", ["Connection: Upgrade", "Upgrade: HTTP/2.0"]],
    ["it is TLS", ["Connection: Upgrade", "Upgrade: TLS/1.0"]],
    ["there is a body of a length", [...websocket, "Content-Length: 1"]],
    ["there is a body of chunks", [...websocket, "Transfer-Encoding: chunked"]],
  ])("is ignored when %s", (_, fields) => {
    expect(withFields(...fields).upgrade).toBeNull();
  });

  test("is ignored for other methods and for HTTP/1.0", () => {
    expect(parsed("POST / HTTP/1.1", HOST, ...websocket).upgrade).toBeNull();
    expect(parsed("GET / HTTP/1.0", HOST, ...websocket).upgrade).toBeNull();
  });
});

describe("an expectation", () => {
  test("of 100-continue is seen, but from HTTP/1.0", () => {
    expect(withFields("Expect: 100-Continue").expectsContinue).toBe(true);
    expect(parsed("GET / HTTP/1.0", HOST, "Expect: 100-continue").expectsContinue).toBe(false);
    expect(withFields().expectsContinue).toBe(false);
  });

  test("of anything else is refused", () => {
    expect(codeOf(() => withFields("Expect: 200-ok"))).toBe("expectation_failed");
    expect(codeOf(() => withFields("Expect:"))).toBe("expectation_failed");
  });
});

describe("a head", () => {
  test("keeps its fields in order and case", () => {
    expect(withFields("x-A: 1", "X-a: 2").headers.lines).toEqual([HOST, "x-A: 1", "X-a: 2"]);
  });

  test.each(["\0", "\x01", "\x7f", "\r", "\n"])("with %j is refused wherever it stands", (octet) => {
    for (const head of [
      `G${octet}ET / HTTP/1.1\r\n${HOST}`,
      `GET /${octet} HTTP/1.1\r\n${HOST}`,
      `GET / HTTP/1.1\r\n${HOST}\r\nX${octet}: 1`,
      `GET / HTTP/1.1\r\n${HOST}\r\nX: 1${octet}`,
      `GET / HTTP/1.1\r\n${HOST}\r\nX: 1${octet}2`,
    ])
      expect(codeOf(() => parseRequest(head, HEAD_LIMITS))).toBe("bad_request");
  });

  test("may have as many fields as the limit", () => {
    const fields = (count: number) => Array.from({ length: count }, () => "X: 1");
    expect(withFields(...fields(HEAD_LIMITS.headerCount - 1)).headers.size).toBe(HEAD_LIMITS.headerCount);
    expect(codeOf(() => withFields(...fields(HEAD_LIMITS.headerCount)))).toBe("headers_too_large");
  });
});
