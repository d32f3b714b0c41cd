import { describe, expect, test } from "bun:test";
import type { Exchange } from "../../../src/wire/exchange.ts";
import { encodeFields, type FieldPairs, frame, TYPE } from "../../support/h2-upstream.ts";
import { readAll, respond } from "./answers.ts";
import { CODE, type FrameClient, request } from "./frame-client.ts";
import { startPair } from "./pair.ts";

/** Answers with what the request's head says. */
function tell(exchange: Exchange): void {
  const { method, target, protocol, host, authority, headers } = exchange;
  respond(exchange, JSON.stringify({ method, target, protocol, host, authority, lines: headers.lines }));
}

function told({ body }: { readonly body: Buffer }): {
  readonly lines: readonly string[];
  readonly [fact: string]: unknown;
} {
  return JSON.parse(body.toString());
}

describe("the head of an HTTP/2 request", () => {
  test("is that of an exchange, with its authority as Host in front", async () => {
    using pair = await startPair(tell);
    await pair.client.headers(
      1,
      request("/a/../b?c=%zz", [
        ["x-b", "2"],
        ["x-a", "1"],
        ["x-b", "3"],
      ]),
    );
    expect(told(await pair.client.response(1))).toEqual({
      method: "GET",
      target: "/a/../b?c=%zz",
      protocol: "HTTP/2.0",
      host: "gw.test",
      authority: "gw.test",
      lines: ["host: gw.test", "x-b: 2", "x-a: 1", "x-b: 3"],
    });
  });

  test("has one cookie, whatever crumbs it came in", async () => {
    using pair = await startPair(tell);
    const crumbs: FieldPairs = [
      ["cookie", "a=1"],
      ["x-a", "b"],
      ["cookie", "b=2"],
      ["cookie", "c=3"],
    ];
    await pair.client.headers(1, request("/", crumbs));
    expect(told(await pair.client.response(1)).lines).toEqual(["host: gw.test", "cookie: a=1; b=2; c=3", "x-a: b"]);
  });

  test("takes Host for the authority where there is none, and once where both agree", async () => {
    using pair = await startPair(tell);
    const host: FieldPairs = [["host", "Gw.Test:81"]];
    await pair.client.headers(1, [[":method", "GET"], [":scheme", "http"], [":path", "/"], ...host]);
    await pair.client.headers(3, [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
      [":authority", "gw.test:81"],
      ...host,
    ]);
    const first = told(await pair.client.response(1));
    expect([first["host"], first["authority"], first.lines]).toEqual(["gw.test", "Gw.Test:81", ["host: Gw.Test:81"]]);
    expect(told(await pair.client.response(3)).lines).toEqual(["host: gw.test:81"]);
  });

  test("shares nothing that one who changes its fields would change for the next", async () => {
    const seen: string[][] = [];
    using pair = await startPair((exchange) => {
      seen.push([...exchange.headers.lines]);
      exchange.headers.set("x-a", "changed");
      exchange.headers.add("x-new", "1");
      respond(exchange);
    });
    for (const id of [1, 3, 5, 7]) await pair.client.headers(id, request("/same", [["x-a", "1"]]));
    await pair.client.response(7);
    expect(seen).toEqual(Array(4).fill(["host: gw.test", "x-a: 1"]));
  });

  test("is read anew where only the path, a value, or the number of fields differs", async () => {
    using pair = await startPair(tell);
    const rows: readonly (readonly [string, FieldPairs])[] = [
      [
        "/1",
        [
          ["x-a", "1"],
          ["x-b", "2"],
        ],
      ],
      [
        "/2",
        [
          ["x-a", "1"],
          ["x-b", "2"],
        ],
      ],
      [
        "/2",
        [
          ["x-a", "1"],
          ["x-b", "3"],
        ],
      ],
      ["/2", [["x-a", "1"]]],
      ["/2", []],
      [
        "/2",
        [
          ["x-a", "1"],
          ["x-b", "3"],
          ["x-c", "4"],
        ],
      ],
    ];
    for (const [i, [path, fields]] of rows.entries()) await pair.client.headers(2 * i + 1, request(path, fields));
    for (const [i, [path, fields]] of rows.entries()) {
      const found = told(await pair.client.response(2 * i + 1));
      expect([found["target"], found.lines.slice(1)]).toEqual([
        path,
        fields.map(([name, value]) => `${name}: ${value}`),
      ]);
    }
  });

  test("drops what only a trusted proxy may say", async () => {
    using pair = await startPair(tell);
    await pair.client.headers(
      1,
      request("/", [
        ["x-forwarded-for", "1.2.3.4"],
        ["x-real-ip", "1.2.3.4"],
        ["x-a", "b"],
      ]),
    );
    expect(told(await pair.client.response(1)).lines).toEqual(["host: gw.test", "x-a: b"]);
  });

  test("is believed when it comes from a trusted proxy", async () => {
    using pair = await startPair((exchange) => respond(exchange, exchange.client.address), { isTrusted: true });
    await pair.client.headers(1, request("/", [["x-forwarded-for", "192.0.2.9"]]));
    expect((await pair.client.response(1)).body.toString()).toBe("192.0.2.9");
  });

  test("may ask for OPTIONS of the server itself", async () => {
    using pair = await startPair(tell);
    await pair.client.headers(1, request("*", [], "OPTIONS"));
    expect(told(await pair.client.response(1))["target"]).toBe("*");
  });
});

/** Malformed by RFC 9113 8.1.1: the stream is reset and nobody sees a request. */
const MALFORMED: readonly (readonly [string, FieldPairs])[] = [
  [
    "no :method",
    [
      [":scheme", "http"],
      [":path", "/"],
      [":authority", "gw.test"],
    ],
  ],
  [
    "no :scheme",
    [
      [":method", "GET"],
      [":path", "/"],
      [":authority", "gw.test"],
    ],
  ],
  [
    "no :path",
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":authority", "gw.test"],
    ],
  ],
  ["an empty :path", request("")],
  ["two of a pseudo-header field", [...request(), [":path", "/b"]]],
  ["two :authority", [...request(), [":authority", "gw.test"]]],
  ["an unknown pseudo-header field", [...request(), [":x", "1"]]],
  ["a pseudo-header field of responses", [...request(), [":status", "200"]]],
  [
    "a pseudo-header field behind another field",
    [
      [":method", "GET"],
      ["x-a", "1"],
      [":scheme", "http"],
      [":path", "/"],
    ],
  ],
  ["a name in upper case", request("/", [["X-A", "1"]])],
  ["a name with a space", request("/", [["x a", "1"]])],
  ["an empty name", request("/", [["", "1"]])],
  ["a value with a line feed", request("/", [["x-a", "1\nx-b: 2"]])],
  ["a value with a carriage return", request("/", [["x-a", "1\r"]])],
  ["a value with NUL", request("/", [["x-a", "a\0b"]])],
  ["a value that begins with a space", request("/", [["x-a", " 1"]])],
  ["a value that ends with a tab", request("/", [["x-a", "1\t"]])],
  ["a :path with a line feed", request("/a\nb")],
  ["Connection", request("/", [["connection", "close"]])],
  ["Keep-Alive", request("/", [["keep-alive", "timeout=5"]])],
  ["Proxy-Connection", request("/", [["proxy-connection", "close"]])],
  ["Transfer-Encoding", request("/", [["transfer-encoding", "chunked"]])],
  ["Upgrade", request("/", [["upgrade", "h2c"]])],
  ["TE of anything but trailers", request("/", [["te", "gzip"]])],
  ["a :protocol with another method than CONNECT", [...request(), [":protocol", "websocket"]]],
  ["CONNECT with a :path", request("/", [], "CONNECT")],
];

describe("a malformed request", () => {
  test.each(MALFORMED)("is reset and told for: %s", async (_what, fields) => {
    using pair = await startPair();
    await pair.client.headers(1, fields);
    expect(await pair.client.resetOf(1)).toBe(CODE.protocol);
    // The connection goes on.
    await pair.client.headers(3, request("/", [["te", "trailers"]]));
    expect((await pair.client.response(3)).status).toBe(200);
    expect(pair.server.done).toHaveLength(1);
    expect(pair.server.refused.map(({ error }) => error.code)).toEqual(["bad_request"]);
  });

  test("is reset for trailers with a pseudo-header field, and for a second head", async () => {
    using pair = await startPair((exchange) => {
      readAll(exchange).catch(() => {});
    });
    await pair.client.headers(1, request("/", [], "POST"), false);
    await pair.client.headers(1, [[":status", "200"]], true);
    await pair.client.headers(3, request("/", [], "POST"), false);
    await pair.client.headers(3, [["x-a", "1"]], false);
    expect([await pair.client.resetOf(1), await pair.client.resetOf(3)]).toEqual([CODE.protocol, CODE.protocol]);
    expect(pair.server.done.map(({ error }) => error?.code)).toEqual(["bad_request", "bad_request"]);
  });
});

/** Well-formed, but nothing that is served: answered on its stream. */
const REFUSED: readonly (readonly [string, FieldPairs, number, string])[] = [
  ["two hosts", request("/", [["host", "other.test"]]), 400, "bad_request"],
  [
    "two Host fields",
    request("/", [
      ["host", "gw.test"],
      ["host", "gw.test"],
    ]),
    400,
    "bad_request",
  ],
  [
    "no host at all",
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
    ],
    400,
    "bad_request",
  ],
  [
    "user information in :authority",
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
      [":authority", "me@gw.test"],
    ],
    400,
    "bad_request",
  ],
  [
    "an invalid host",
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
      [":authority", "a b"],
    ],
    400,
    "bad_request",
  ],
  [
    "another scheme",
    [
      [":method", "GET"],
      [":scheme", "ftp"],
      [":path", "/"],
      [":authority", "gw.test"],
    ],
    400,
    "bad_request",
  ],
  ["a path without a slash", request("a/b"), 400, "bad_request"],
  ["a path with a fragment", request("/a#b"), 400, "bad_request"],
  ["a method that is no token", request("/", [], "GE T"), 400, "bad_request"],
  ["TRACE", request("/", [], "TRACE"), 405, "method_not_allowed"],
  [
    "a plain CONNECT",
    [
      [":method", "CONNECT"],
      [":authority", "gw.test:80"],
    ],
    405,
    "method_not_allowed",
  ],
  [
    "an extended CONNECT to what is no WebSocket",
    [...request("/", [], "CONNECT"), [":protocol", "connect-udp"]],
    501,
    "not_implemented",
  ],
  ["a long path", request(`/${"a".repeat(9000)}`), 414, "uri_too_long"],
  [
    "many fields",
    request(
      "/",
      Array.from({ length: 101 }, (_none, i) => [`x-${i}`, "1"] as const),
    ),
    431,
    "headers_too_large",
  ],
  ["a large list", request("/", [["x-a", "a".repeat(17_000)]]), 431, "headers_too_large"],
  ["another expectation", request("/", [["expect", "coffee"]]), 417, "expectation_failed"],
  ["a Content-Length that is no number", request("/", [["content-length", "+1"]]), 400, "bad_request"],
  [
    "two Content-Lengths",
    request("/", [
      ["content-length", "0"],
      ["content-length", "0"],
    ]),
    400,
    "bad_request",
  ],
];

describe("a request that cannot be served", () => {
  test.each(REFUSED)("is answered with a problem for: %s", async (_what, fields, status, code) => {
    using pair = await startPair(() => expect.unreachable());
    // In several frames where one would be too small.
    await sendLarge(pair.client, 1, fields);
    const response = await pair.client.response(1);
    expect([response.status, response.fields["content-type"]]).toEqual([status, "application/problem+json"]);
    expect(JSON.parse(response.body.toString())).toMatchObject({ type: `urn:torii:problem:${code}`, status });
    expect(pair.server.refused.map(({ error, line }) => [String(error.code), line.endsWith(" HTTP/2.0")])).toEqual([
      [code, true],
    ]);
  });
});

async function sendLarge(client: FrameClient, id: number, fields: FieldPairs): Promise<void> {
  const block = encodeFields(fields);
  const first = block.subarray(0, 16_000);
  const rest = block.subarray(16_000);
  await client.send(frame(TYPE.headers, rest.length === 0 ? 5 : 1, id, first));
  if (rest.length > 0) await client.send(frame(9, 4, id, rest));
}
