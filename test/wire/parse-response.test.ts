import { describe, expect, test } from "bun:test";
import { framingOf, isBodiless, parseResponse } from "../../src/wire/parse-response.ts";
import { codeOf } from "./parts.ts";

function head(...lines: readonly string[]) {
  return parseResponse(lines.join("\r\n"));
}

const withFields = (...fields: readonly string[]) => head("HTTP/1.1 200 OK", ...fields);

describe("a status line", () => {
  test.each([
    ["HTTP/1.1 200 OK", 200, "OK", 1],
    ["HTTP/1.0 404 Not Found", 404, "Not Found", 0],
    ["HTTP/1.1 200 ", 200, "", 1],
    ["HTTP/1.1 200", 200, "", 1],
    ["HTTP/1.1 100 Continue", 100, "Continue", 1],
    ["HTTP/1.1 599 \x80 odd\t", 599, "\x80 odd\t", 1],
    ["HTTP/1.1 999 x", 999, "x", 1],
  ])("%j is understood", (line, status, reason, minor) => {
    expect(head(line)).toMatchObject({ status, reason, minor });
    expect(head(line, "A: b")).toMatchObject({ status, reason, minor });
  });

  test.each([
    "",
    "HTTP/1.1",
    "HTTP/1.1 ",
    "HTTP/1.1 20",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1 099 Low",
    "HTTP/1.1 +20 x",
    "HTTP/1.1 2x0 OK",
    "HTTP/1.1  200 OK",
    "HTTP/1.1\t200 OK",
    "HTTP/1.2 200 OK",
    "HTTP/2.0 200 OK",
    "HTTP/2 200 OK",
    "http/1.1 200 OK",
    "ICY 200 OK",
    " HTTP/1.1 200 OK",
    "HTTP/1.1 200\0OK",
    "HTTP/1.1 200 O\rK",
    "HTTP/1.1 200 OK\r",
  ])("%j is none", (line) => {
    expect(codeOf(() => head(line))).toBe("upstream_protocol");
  });
});

describe("fields of a response", () => {
  test("are kept in order and case", () => {
    expect(withFields("b: 1", "A: 2", "B: 3").headers.lines).toEqual(["b: 1", "A: 2", "B: 3"]);
  });

  test.each([
    ["a folded line", "A: b\r\n c"],
    ["a line without a colon", "A"],
    ["a space before the colon", "A : b"],
    ["an invalid name", "A(: b"],
    ["a control character", "A: \x01"],
    ["a length that is none", "Content-Length: x"],
    ["a negative length", "Content-Length: -1"],
    ["two lengths that differ", "Content-Length: 1\r\nContent-Length: 2"],
    ["a coding other than chunked", "Transfer-Encoding: gzip"],
    ["a coding before chunked", "Transfer-Encoding: gzip, chunked"],
    ["chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"],
    ["over a thousand of them", Array.from({ length: 1001 }, () => "A: b").join("\r\n")],
  ])("are the endpoint's fault for %s", (_, fields) => {
    expect(codeOf(() => withFields(fields))).toBe("upstream_protocol");
  });

  test("may tell the same length twice", () => {
    expect(withFields("Content-Length: 5", "Content-Length: 5").contentLength).toBe(5);
  });

  test("tell of no chunks in HTTP/1.0", () => {
    expect(codeOf(() => head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"))).toBe("upstream_protocol");
  });
});

describe("a connection", () => {
  test.each([
    ["1.1", [], true],
    ["1.1", ["Connection: close"], false],
    ["1.1", ["Connection: Close, x"], false],
    ["1.1", ["connection: keep-alive"], true],
    ["1.1", ["Connection: keep-alive, close"], false],
    ["1.1", ["Connection: close", "Connection: keep-alive"], false],
    ["1.0", [], false],
    ["1.0", ["Connection: Keep-Alive"], true],
    ["1.0", ["Connection: close"], false],
    ["1.1", ["Transfer-Encoding: chunked", "Content-Length: 1"], false],
    ["1.1", ["Content-Length: 1", "Transfer-Encoding: chunked"], false],
  ] as const)("after HTTP/%s with %j may be used again: %p", (version, fields, isKept) => {
    expect(head(`HTTP/${version} 200 OK`, ...fields).keepsAlive).toBe(isKept);
  });
});

describe("the framing of a response", () => {
  const chunked = "Transfer-Encoding: chunked";
  test.each([
    ["GET", "200 OK", ["Content-Length: 5"], "length"],
    ["GET", "200 OK", ["Content-Length: 0"], "none"],
    ["GET", "200 OK", [chunked], "chunked"],
    ["GET", "200 OK", [chunked, "Content-Length: 5"], "chunked"],
    ["GET", "200 OK", [], "close"],
    ["POST", "201 Created", [], "close"],
    ["HEAD", "200 OK", ["Content-Length: 5"], "none"],
    ["HEAD", "200 OK", [chunked], "none"],
    ["HEAD", "200 OK", [], "none"],
    ["GET", "204 No Content", ["Content-Length: 5"], "none"],
    ["GET", "304 Not Modified", ["Content-Length: 5"], "none"],
    ["GET", "304 Not Modified", [chunked], "none"],
    ["GET", "100 Continue", ["Content-Length: 5"], "none"],
    ["GET", "205 Reset Content", [], "close"],
    ["GET", "500 Oh", ["Content-Length: 5"], "length"],
  ] as const)("to %s with %s and %j is %s", (method, status, fields, framing) => {
    expect(framingOf(head(`HTTP/1.1 ${status}`, ...fields), method)).toBe(framing);
  });

  test("is none for what never has a body", () => {
    expect([204, 304, 100, 103, 199].map((status) => isBodiless(status, "GET"))).not.toContain(false);
    expect([200, 201, 205, 206, 404].map((status) => isBodiless(status, "GET"))).not.toContain(true);
    expect(isBodiless(200, "HEAD")).toBe(true);
  });
});
