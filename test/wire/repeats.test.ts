import { describe, expect, test } from "bun:test";
import { parseRequest } from "../../src/wire/parse-request.ts";
import { parseResponse } from "../../src/wire/parse-response.ts";
import { get, request } from "../support/forward.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { startProxy } from "../support.ts";

const LIMITS = { headerBytes: 16384, headerCount: 100, uriBytes: 8192 };
const LINES = [
  "GET /a HTTP/1.1",
  "GET /b?c HTTP/1.1",
  "POST /a HTTP/1.1",
  "GET /a HTTP/1.0",
  "GET http://x.test/a HTTP/1.1",
];
const FIELDS = [
  "Host: gw.test",
  "Host: gw.test\r\nX-A: 1",
  "Host: gw.test\r\nContent-Length: 3",
  "Host: gw.test\r\nTransfer-Encoding: chunked",
  "Host: gw.test\r\nConnection: close",
  "Host: gw.test\r\nConnection: Upgrade\r\nUpgrade: websocket",
  "Host: gw.test\r\nConnection: X-A\r\nX-A: 1",
];

function read(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    return String(error);
  }
}

/** What a head says, without how it was come by. */
function said(text: string, last?: string): unknown {
  return read(() => {
    const { headers, isRepeated: _, ...facts } = parseRequest(text, LIMITS, last ? parseRequest(last, LIMITS) : null);
    return { ...facts, lines: headers.lines, names: headers.names };
  });
}

describe("a head that repeats the fields of the one before", () => {
  const heads = LINES.flatMap((line) => FIELDS.map((fields) => `${line}\r\n${fields}`));

  test("says the same as if it were the first, whatever came before", () => {
    for (const last of heads) {
      if (typeof said(last) === "string") continue;
      for (const head of heads) expect(said(head, last)).toEqual(said(head));
    }
  });

  test("is seen as such", () => {
    const last = parseRequest("GET /a HTTP/1.1\r\nHost: gw.test\r\nX-A: 1", LIMITS);
    const again = parseRequest("POST /b HTTP/1.1\r\nHost: gw.test\r\nX-A: 1", LIMITS, last);
    expect([again.isRepeated, again.headers.block === last.headers.block]).toEqual([true, true]);
  });

  test("is refused for its own line all the same", () => {
    const last = parseRequest("GET / HTTP/1.1\r\nHost: gw.test", LIMITS);
    for (const line of [
      "GET /\x01 HTTP/1.1",
      "G T / HTTP/1.1",
      "GET / HTTP/1.2",
      "TRACE / HTTP/1.1",
      "GET /#a HTTP/1.1",
    ]) {
      expect(read(() => parseRequest(`${line}\r\nHost: gw.test`, LIMITS, last))).toStartWith("GatewayError");
    }
  });

  test("of a response says the same too", () => {
    const texts = ["200 OK", "404 Not Found", "200 "].flatMap((status) =>
      ["A: 1", "Content-Length: 3", "Transfer-Encoding: chunked", "Connection: close"].flatMap((fields) =>
        ["1.1", "1.0"].map((version) => `HTTP/${version} ${status}\r\n${fields}`),
      ),
    );
    const facts = (text: string, last?: string) =>
      read(() => {
        const { headers, ...rest } = parseResponse(text, last ? parseResponse(last) : null);
        return { ...rest, lines: headers.lines };
      });
    for (const last of texts) {
      if (typeof facts(last) === "string") continue;
      for (const text of texts) expect(facts(text, last)).toEqual(facts(text));
    }
  });
});

test("what a plugin changes in one request does not show in the next, of this connection or another", async () => {
  await using upstream = startAnswering(() => ok("", "X-Up: 1"));
  await using gateway = await startProxy(upstream.url, {
    route: {
      matches: [{ path: "/changed/*" }],
      plugins: [
        { use: "request-headers", with: { set: { "x-set": "1" }, remove: ["x-a"] } },
        { use: "response-headers", with: { add: { "x-added": "1" } } },
      ],
    },
  });
  using first = await gateway.connect();
  using second = await gateway.connect();
  for (const client of [first, second, first, second]) {
    await client.send(request("GET /changed/1", "X-A: 1"));
    const response = await client.response();
    expect(response.headers.filter(([name]) => name.toLowerCase() === "x-added")).toHaveLength(1);
  }
  for (const { headers } of upstream.requests) {
    const names = headers.map(([name]) => name.toLowerCase());
    expect([names.filter((name) => name === "x-set").length, names.includes("x-a")]).toEqual([1, false]);
  }
  expect((await gateway.exchange(get())).status).toBe(404);
});
