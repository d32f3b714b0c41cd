import { describe, expect, test } from "bun:test";
import { headerList } from "../../src/wire/header-list.ts";
import {
  CONTINUE,
  httpDate,
  interimText,
  type ResponseFraming,
  responseDelimiter,
  responseText,
  toldLength,
} from "../../src/wire/response-text.ts";
import { exchangeOf } from "./parts.ts";

type Pairs = readonly (readonly [string, string])[];

const head = (status: number, pairs: Pairs = [], reason = "R") => ({ status, reason, headers: headerList(pairs) });
const length = (bytes: number, keepsAlive = true): ResponseFraming => ({
  delimiter: "length",
  length: bytes,
  keepsAlive,
});
const http10 = () => exchangeOf({ lines: ["GET / HTTP/1.0"] });

/** The lines of a head without its Date, which is checked by itself. */
function lines(text: string): readonly string[] {
  expect(text.endsWith("\r\n\r\n")).toBe(true);
  return text
    .slice(0, -4)
    .split("\r\n")
    .filter((line) => !line.startsWith("Date: "));
}

describe("how a body is told to the client:", () => {
  test.each([
    ["its length, where it is known", "GET / HTTP/1.1", 200, 5, "length"],
    ["an empty one by its length too", "GET / HTTP/1.1", 200, 0, "length"],
    ["chunks, where it is not", "GET / HTTP/1.1", 200, null, "chunked"],
    ["the end of the connection, to HTTP/1.0", "GET / HTTP/1.0", 200, null, "close"],
    ["the length, to HTTP/1.0 as well", "GET / HTTP/1.0", 200, 5, "length"],
    ["nothing to HEAD", "HEAD / HTTP/1.1", 200, null, "none"],
    ["nothing with 204", "GET / HTTP/1.1", 204, null, "none"],
    ["nothing with 304", "GET / HTTP/1.1", 304, 5, "none"],
  ] as const)("%s", (_, line, status, bytes, delimiter) => {
    const exchange = exchangeOf({ lines: [line, "Host: gw.test"] });
    expect(responseDelimiter(exchange, status, bytes)).toBe(delimiter);
  });
});

describe("the head of a response", () => {
  test("keeps fields in order, case and number, and ends with the framing", () => {
    const pairs: Pairs = [
      ["x-b", "1"],
      ["Set-Cookie", "a=1"],
      ["X-A", ""],
      ["set-cookie", "b=2"],
    ];
    expect(lines(responseText(exchangeOf(), head(200, pairs, "Fine"), length(3)))).toEqual([
      "HTTP/1.1 200 Fine",
      "x-b: 1",
      "Set-Cookie: a=1",
      "X-A: ",
      "set-cookie: b=2",
      "Content-Length: 3",
    ]);
  });

  test("leaves out what concerns the connection", () => {
    const pairs: Pairs = [
      ["Connection", "close"],
      ["Keep-Alive", "timeout=5"],
      ["Proxy-Connection", "x"],
      ["TE", "x"],
      ["Transfer-Encoding", "chunked"],
      ["Upgrade", "h2c"],
      ["Content-Length", "99"],
      ["X-Kept", "1"],
    ];
    expect(lines(responseText(exchangeOf(), head(200, pairs), length(3)))).toEqual([
      "HTTP/1.1 200 R",
      "X-Kept: 1",
      "Content-Length: 3",
    ]);
  });

  test("cannot lose its type or coding by naming them in Connection", () => {
    const pairs: Pairs = [
      ["Connection", "content-type, content-encoding"],
      ["Content-Type", "a/b"],
      ["Content-Encoding", "br"],
    ];
    expect(lines(responseText(exchangeOf(), head(200, pairs), length(0)))).toContainAllValues([
      "HTTP/1.1 200 R",
      "Content-Type: a/b",
      "Content-Encoding: br",
      "Content-Length: 0",
    ]);
  });

  test.each([
    [
      "chunks",
      () => exchangeOf(),
      { delimiter: "chunked", length: null, keepsAlive: true },
      ["Transfer-Encoding: chunked"],
    ],
    ["a connection that ends", () => exchangeOf(), length(1, false), ["Content-Length: 1", "Connection: close"]],
    ["HTTP/1.0 that is kept", http10, length(1), ["Content-Length: 1", "Connection: keep-alive"]],
    ["HTTP/1.0 that is not", http10, { delimiter: "close", length: null, keepsAlive: false }, ["Connection: close"]],
    [
      "HEAD of a known length",
      () => exchangeOf(),
      { delimiter: "none", length: 7, keepsAlive: true },
      ["Content-Length: 7"],
    ],
    ["HEAD of an unknown length", () => exchangeOf(), { delimiter: "none", length: null, keepsAlive: true }, []],
  ] as const)("frames %s", (_, exchange, framing, expected) => {
    expect(lines(responseText(exchange(), head(200), framing))).toEqual(["HTTP/1.1 200 R", ...expected]);
  });

  test("of a 204 has no length", () => {
    expect(lines(responseText(exchangeOf(), head(204), { delimiter: "none", length: 0, keepsAlive: true }))).toEqual([
      "HTTP/1.1 204 R",
    ]);
  });

  test("gets a Date, unless it has one", () => {
    expect(responseText(exchangeOf(), head(200), length(0))).toContain(`Date: ${httpDate()}\r\n`);
    const own = responseText(exchangeOf(), head(200, [["date", "Sun, 06 Nov 1994 08:49:37 GMT"]]), length(0));
    expect(own.match(/^date: /gim)).toHaveLength(1);
  });

  test("may have an empty reason", () => {
    expect(responseText(exchangeOf(), head(200, [], ""), length(0))).toStartWith("HTTP/1.1 200 \r\n");
  });
});

describe("the head of an interim response", () => {
  test("has its fields but no framing and no Date", () => {
    expect(
      interimText(
        head(103, [
          ["Link", "</a>"],
          ["Connection", "x"],
          ["Content-Length", "0"],
        ]),
      ),
    ).toBe("HTTP/1.1 103 R\r\nLink: </a>\r\n\r\n");
    expect(interimText(CONTINUE)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  });

  test("of a 101 keeps Upgrade and says Connection", () => {
    const pairs: Pairs = [
      ["Upgrade", "websocket"],
      ["Connection", "upgrade"],
      ["Sec-WebSocket-Accept", "x"],
    ];
    const text = interimText(head(101, pairs));
    expect(text).toMatch(/^HTTP\/1\.1 101 R\r\n.*\r\nConnection: Upgrade\r\n\r\n$/s);
    expect(text).toContain("\r\nUpgrade: websocket\r\n");
    expect(text).toContain("\r\nSec-WebSocket-Accept: x\r\n");
    expect(text.match(/^connection:/gim)).toHaveLength(1);
  });
});

describe("small parts:", () => {
  test("the date is an IMF-fixdate of this very second", () => {
    const before = Math.floor(Date.now() / 1000) * 1000;
    expect(httpDate()).toMatch(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
    expect(Date.parse(httpDate())).toBeWithin(before, Date.now() + 1);
  });

  test.each([
    [[], null],
    [[["Content-Length", "7"]], 7],
    [[["content-length", "0"]], 0],
    [[["Content-Length", "x"]], null],
  ] as const)("the length that %j tells is %p", (pairs, told) => {
    expect(toldLength(head(200, pairs))).toBe(told);
  });
});
