import { describe, expect, test } from "bun:test";
import {
  dropForwardingFields,
  dropNamedFields,
  isLoop,
  type RequestFraming,
  readClient,
  requestText,
} from "../../src/wire/forwarding.ts";
import { headerList } from "../../src/wire/header-list.ts";
import { attemptOf, type ExchangeParts, exchangeOf } from "./parts.ts";

const PLAIN: RequestFraming = { length: null, isChunked: false, expectsContinue: false };
const HOST = "Host: gw.test";

function text(parts: ExchangeParts, framing = PLAIN): string {
  return requestText(attemptOf(exchangeOf(parts)), framing);
}

function get(...fields: readonly string[]): ExchangeParts {
  return { lines: ["GET /a HTTP/1.1", HOST, ...fields] };
}

function linesOf(request: string, name: string): readonly string[] {
  return request.split("\r\n").filter((line) => line.toLowerCase().startsWith(`${name}:`));
}

describe("the head that goes upstream", () => {
  test("is the client's, with the gateway's own fields behind it", () => {
    expect(text(get("x-B: 1", "X-a: 2")).split("\r\n")).toEqual([
      "GET /a HTTP/1.1",
      HOST,
      "x-B: 1",
      "X-a: 2",
      "X-Forwarded-For: 192.0.2.1",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Host: gw.test",
      "X-Forwarded-Port: 8080",
      "Forwarded: for=192.0.2.1;host=gw.test;proto=http",
      "Via: 1.1 torii",
      "X-Request-Id: id-1",
      "",
      "",
    ]);
  });

  test("names method, target and authority as plugins left them", () => {
    const exchange = exchangeOf(get());
    Object.assign(exchange, { upstreamMethod: "PUT", upstreamTarget: "/b?c", upstreamAuthority: "other:81" });
    const request = requestText(attemptOf(exchange), PLAIN);
    expect(request).toStartWith("PUT /b?c HTTP/1.1\r\nHost: other:81\r\n");
    expect(linesOf(request, "x-forwarded-host")).toEqual(["X-Forwarded-Host: gw.test"]);
  });

  test("names the endpoint where the client named no host", () => {
    const request = requestText(attemptOf(exchangeOf({ lines: ["GET /a HTTP/1.0"] })), PLAIN);
    expect(request).toStartWith("GET /a HTTP/1.1\r\nHost: endpoint.test:8080\r\n");
  });

  test.each([
    ["a length", { ...PLAIN, length: 7 }, "Content-Length: 7\r\n"],
    ["a length of 0", { ...PLAIN, length: 0 }, "Content-Length: 0\r\n"],
    ["chunks", { ...PLAIN, isChunked: true }, "Transfer-Encoding: chunked\r\n"],
    ["an expectation", { ...PLAIN, length: 7, expectsContinue: true }, "Content-Length: 7\r\nExpect: 100-continue\r\n"],
  ])("tells %s in fields of its own", (_, framing, expected) => {
    const request = text({ lines: ["POST /a HTTP/1.1", HOST, "Content-Length: 99"] }, framing);
    expect(request).toEndWith(`X-Request-Id: id-1\r\n${expected}\r\n`);
    expect(request).not.toContain("99");
  });

  test("loses the fields of the connection", () => {
    const request = text(get("Connection: close", "Keep-Alive: 5", "Proxy-Authorization: x", "TE: gzip", "X-Kept: 1"));
    expect(request.match(/connection|keep-alive|proxy-|^te:/gim)).toBeNull();
    expect(request).toContain("X-Kept: 1\r\n");
  });

  test("asks for trailers when the client does", () => {
    expect(text(get("TE: gzip, Trailers"))).toEndWith("Connection: TE\r\nTE: trailers\r\n\r\n");
    expect(text(get("TE: gzip"))).not.toMatch(/^te/im);
  });

  test("asks for the client's upgrade", () => {
    const request = text(get("Connection: Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Key: x"));
    expect(request).toEndWith("Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n");
    expect(request).toContain("Sec-WebSocket-Key: x\r\n");
  });

  test("names the version that the client spoke in Via, behind earlier gateways", () => {
    expect(linesOf(text({ lines: ["GET / HTTP/1.0", HOST, "Via: 1.1 a", "Via: 1.0 b"] }), "via")).toEqual([
      "Via: 1.1 a, 1.0 b, 1.0 torii",
    ]);
  });
});

describe("who the client is, as told upstream", () => {
  const LIES = [
    "X-Forwarded-For: 9.9.9.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Port: 1",
  ];
  const MORE = ["Forwarded: for=9.9.9.9", "X-Real-IP: 9.9.9.9", "X-Request-Id: theirs"];

  test("is never what an untrusted client says", () => {
    const request = text(get(...LIES, ...MORE));
    expect(request).not.toMatch(/9\.9\.9\.9|evil|theirs|https/);
    expect(linesOf(request, "x-real-ip")).toEqual([]);
    for (const name of ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded"])
      expect(linesOf(request, name)).toHaveLength(1);
  });

  test("is what a trusted proxy says, with the proxy behind it", () => {
    const request = text({ ...get(...LIES, ...MORE), client: { isTrusted: true } });
    expect(linesOf(request, "x-forwarded-for")).toEqual(["X-Forwarded-For: 9.9.9.9, 192.0.2.1"]);
    expect(linesOf(request, "x-forwarded-proto")).toEqual(["X-Forwarded-Proto: https"]);
    expect(linesOf(request, "x-forwarded-host")).toEqual(["X-Forwarded-Host: evil"]);
    expect(linesOf(request, "x-forwarded-port")).toEqual(["X-Forwarded-Port: 1"]);
    expect(linesOf(request, "x-real-ip")).toEqual(["X-Real-IP: 9.9.9.9"]);
    expect(linesOf(request, "forwarded")).toEqual(["Forwarded: for=9.9.9.9, for=192.0.2.1;host=gw.test;proto=http"]);
  });

  test("is told anew for each address, host, port and scheme", () => {
    for (const peer of ["192.0.2.1", "192.0.2.2", "192.0.2.1"])
      for (const authority of ["a.test", "b.test:81"])
        for (const localPort of [8080, 8081]) {
          const request = text({ lines: ["GET / HTTP/1.1", `Host: ${authority}`], client: { peer, localPort } });
          expect(linesOf(request, "x-forwarded-for")).toEqual([`X-Forwarded-For: ${peer}`]);
          expect(linesOf(request, "x-forwarded-host")).toEqual([`X-Forwarded-Host: ${authority}`]);
          expect(linesOf(request, "x-forwarded-port")).toEqual([`X-Forwarded-Port: ${localPort}`]);
        }
  });

  test.each([
    ["2001:db8::1", "gw.test", 'for="[2001:db8::1]";host=gw.test;proto=http'],
    ["192.0.2.1", "gw.test:81", 'for=192.0.2.1;host="gw.test:81";proto=http'],
    ["192.0.2.1", "[::1]", 'for=192.0.2.1;host="[::1]";proto=http'],
  ])("quotes what is no token in Forwarded: %s for %s", (peer, authority, element) => {
    const request = text({ lines: ["GET / HTTP/1.1", `Host: ${authority}`], client: { peer } });
    expect(linesOf(request, "forwarded")).toEqual([`Forwarded: ${element}`]);
  });

  test("names no host where the client named none", () => {
    expect(linesOf(text({ lines: ["GET / HTTP/1.0"], client: { peer: "192.0.2.77" } }), "forwarded")).toEqual([
      "Forwarded: for=192.0.2.77;proto=http",
    ]);
  });
});

describe("the client behind trusted proxies", () => {
  const peer = { address: "10.0.0.1", peer: "10.0.0.1", port: 1, localPort: 2, isTrusted: true, tls: null };
  const isTrusted = (address: string) => address.startsWith("10.");
  test.each([
    [null, "10.0.0.1"],
    ["192.0.2.9", "192.0.2.9"],
    ["192.0.2.8, 192.0.2.9", "192.0.2.9"],
    ["192.0.2.9, 10.0.0.2,10.0.0.3 ", "192.0.2.9"],
    ["10.0.0.2, 10.0.0.3", "10.0.0.2"],
    ["192.0.2.9, nonsense, 10.0.0.3", "10.0.0.3"],
    ["192.0.2.9, , 10.0.0.3", "10.0.0.3"],
    ["nonsense", "10.0.0.1"],
    ["", "10.0.0.1"],
    ["2001:db8::9", "2001:db8::9"],
  ])("of X-Forwarded-For %j is %s", (value, address) => {
    const headers = headerList(value === null ? [] : [["X-Forwarded-For", value]]);
    expect(readClient(headers, peer, isTrusted)).toEqual({ ...peer, address });
  });
});

describe("what Connection names is taken away", () => {
  test.each([
    [["keep-alive"], ["connection", "x-a", "x-b", "cookie", "te"]],
    [["X-A"], ["connection", "x-b", "cookie", "te"]],
    [
      ["close, x-a", "X-B"],
      ["connection", "connection", "cookie", "te"],
    ],
    // What the gateway reads itself, or what describes the message, is not a client's to take away.
    [["TE, Cookie, x-a"], ["connection", "x-b", "cookie", "te"]],
  ])("of %j, %j stay", (values, names) => {
    const rest = ["X-A", "x-b", "Cookie", "TE"].map((name) => [name, "1"] as const);
    const headers = headerList([...values.map((value) => ["Connection", value] as const), ...rest]);
    dropNamedFields(headers);
    expect(headers.names).toEqual(names);
  });
});

describe("what a client says in the name of a proxy is taken away", () => {
  test.each([
    ["X-Forwarded-For", true],
    ["x-forwarded-prefix", true],
    ["X_Forwarded_For", true],
    ["X-Forwarded", true],
    ["X-Real-IP", true],
    ["x_real_ip", true],
    ["X-Forwardedness", false],
    ["X-Really", false],
    ["Forward", false],
  ])("%s: %p", (name, isTaken) => {
    const headers = headerList([[name, "1"]]);
    dropForwardingFields(headers);
    expect(headers.size).toBe(isTaken ? 0 : 1);
  });
});

test("a request that passed ten gateways of this kind goes in a circle", () => {
  const via = (count: number, name = "torii") =>
    headerList([["Via", Array.from({ length: count }, () => `1.1 ${name}`).join(", ")]]);
  expect([isLoop(via(9)), isLoop(via(10)), isLoop(via(50, "other")), isLoop(headerList([]))]).toEqual([
    false,
    true,
    false,
    false,
  ]);
});
