import { describe, expect, test } from "bun:test";
import { answer, forward, get, request } from "../support/forward.ts";
import { header, values } from "../support/message.ts";

const HELLO_CHUNKS = "5\r\nhello\r\n0\r\n\r\n";

function post(fields: readonly string[], rest: string): string {
  return request("POST /r", ...fields) + rest;
}

describe("the framing of requests (RFC 9112 6)", () => {
  test("Content-Length beside chunked is refused and the connection closed", async () => {
    const { response, state, requests } = await forward(
      post(["Content-Length: 4", "Transfer-Encoding: chunked"], HELLO_CHUNKS),
    );
    expect(response.status).toBe(400);
    expect(state).not.toBe("open");
    expect(requests).toEqual([]);
  });

  test.each([
    ["a folded line", "X-F: a\r\n b"],
    ["a space before a colon", "X-F : a"],
    ["NUL in a value", "X-F: a\0b"],
  ])("%s does not reach the service", async (_, field) => {
    const { response, requests } = await forward(get(field));
    expect(response.status).toBe(400);
    expect(requests).toEqual([]);
  });

  test("a body of known length keeps its length", async () => {
    const { request: seen } = await forward(post(["Content-Length: 5"], "hello"));
    expect(values(seen, "content-length")).toEqual(["5"]);
    expect(header(seen, "transfer-encoding")).toBeNull();
    expect(seen.body.toString()).toBe("hello");
  });

  test("a chunked body arrives whole with one framing", async () => {
    const { request: seen } = await forward(post(["Transfer-Encoding: chunked"], HELLO_CHUNKS));
    expect(values(seen, "content-length").length + values(seen, "transfer-encoding").length).toBe(1);
    expect(seen.body.toString()).toBe("hello");
  });

  test("an empty body of known length stays one", async () => {
    const { request: seen } = await forward(post(["Content-Length: 0"], ""));
    expect(values(seen, "content-length")).toEqual(["0"]);
  });

  test("a request without body gets no framing", async () => {
    const { request: seen } = await forward(get());
    expect(header(seen, "content-length")).toBeNull();
    expect(header(seen, "transfer-encoding")).toBeNull();
  });

  test("the body of a GET arrives, and the next request is the next", async () => {
    const { requests } = await forward(`${get("Content-Length: 5")}hello${request("GET /second")}`, { answers: 2 });
    expect(requests.map(({ target, body }) => [target, body.toString()])).toEqual([
      ["/r", "hello"],
      ["/second", ""],
    ]);
  });
});

describe("responses of the service that break the framing (RFC 9112 6.3)", () => {
  test.each([
    ["a Content-Length of letters", answer("200 OK", ["Content-Length: abc"], "ok")],
    ["a negative Content-Length", answer("200 OK", ["Content-Length: -2"], "ok")],
    ["two different Content-Lengths", answer("200 OK", ["Content-Length: 2", "Content-Length: 3"], "okk")],
    ["a list of different Content-Lengths", answer("200 OK", ["Content-Length: 2, 3"], "okk")],
    ["a coding that nobody knows", answer("200 OK", ["Transfer-Encoding: pigeons"], HELLO_CHUNKS)],
    ["a folded field with a hidden line", answer("200 OK", ["X-F: a\r\n b\rX: y", "Content-Length: 2"], "ok")],
    ["a field line without colon", answer("200 OK", ["Nonsense", "Content-Length: 2"], "ok")],
    ["what is no HTTP at all", "garbage\r\n\r\n"],
    ["another protocol's status line", "ICY 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"],
    ["HTTP/2 in the status line", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ])("%s becomes 502, and its connection is not used again", async (_, bytes) => {
    const { responses, requests, upstream } = await forward(get() + request("GET /second"), {
      answer: bytes,
      answers: 2,
    });
    expect(responses.map(({ status }) => status)).toEqual([502, 502]);
    expect(requests).toHaveLength(2);
    expect(upstream.connections).toHaveLength(2);
  });

  test.each([
    ["a blank before the colon", "X-F : a", "a"],
    ["folding", "X-F: a\r\n b", "a b"],
    ["NUL", "X-F: a\0b", "a b"],
  ])("%s is mended or refused, never passed on", async (_, field, mended) => {
    const { response } = await forward(get(), { answer: answer("200 OK", [field, "Content-Length: 2"], "ok") });
    if (response.status !== 502) expect(header(response, "x-f")).toBe(mended);
  });

  test("Content-Length beside chunked is dropped", async () => {
    const { response } = await forward(get(), {
      answer: answer("200 OK", ["Content-Length: 3", "Transfer-Encoding: chunked"], HELLO_CHUNKS),
    });
    if (response.status === 502) return expect(response.body.toString()).not.toContain("hello");
    expect(header(response, "content-length")).not.toBe("3");
    expect(response.body.toString()).toBe("hello");
  });

  test("bytes behind a response are not taken for the next", async () => {
    const surplus = answer("200 OK", ["Content-Length: 2"], `ok${answer("200 OK", ["Content-Length: 8"], "smuggled")}`);
    const { responses, upstream } = await forward(get() + request("GET /second"), { answer: surplus, answers: 2 });
    expect(responses.map(({ body }) => body.toString())).toEqual(["ok", "ok"]);
    expect(upstream.connections).toHaveLength(2);
  });

  test("a head without end is refused with 502", async () => {
    const { response } = await forward(get(), {
      answer: `HTTP/1.1 200 OK\r\n${"X-Big: 0123456789\r\n".repeat(60_000)}`,
    });
    expect(response.status).toBe(502);
  });
});

describe("responses cut short (RFC 9112 8)", () => {
  const cuts = [
    ["by length", answer("200 OK", ["Content-Length: 10"], "hello")],
    ["in chunks", answer("200 OK", ["Transfer-Encoding: chunked"], "5\r\nhello\r\n")],
    ["within a chunk", answer("200 OK", ["Transfer-Encoding: chunked"], "a\r\nhello")],
    ["before the last empty line", answer("200 OK", ["Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n")],
    ["by a bad chunk size", answer("200 OK", ["Transfer-Encoding: chunked"], "5\r\nhello\r\nxyz\r\n")],
  ] as const;
  const ways = cuts.flatMap(([name, bytes]) =>
    (["close", "reset"] as const).map((ends) => [name, ends, bytes] as const),
  );

  test.each(ways)("a body %s that ends in a %s never looks whole", async (_, ends, bytes) => {
    const { responses, partial, state } = await forward(get(), { answer: bytes, ends });
    expect(responses.filter(({ status }) => status === 200)).toEqual([]);
    if (partial !== null) expect(state).not.toBe("open");
  });

  test("a reset within a body until close never looks whole", async () => {
    const { partial, state, responses } = await forward(get(), {
      answer: answer("200 OK", [], "hello"),
      ends: "reset",
    });
    expect(responses.filter(({ status }) => status === 200)).toEqual([]);
    if (partial !== null) expect([partial.framing, state]).toEqual(["chunked", expect.not.stringMatching("open")]);
  });

  test.each(["close", "reset"] as const)(
    "an HTTP/1.0 client, who has no chunks, sees a reset after a %s",
    async (ends) => {
      const bytes = answer("200 OK", ["Transfer-Encoding: chunked"], "5\r\nhello\r\n");
      const { responses, state } = await forward("GET /r HTTP/1.0\r\nHost: gw.test\r\n\r\n", { answer: bytes, ends });
      expect(responses.filter(({ status }) => status === 200)).toEqual([]);
      expect(responses.length > 0 || state === "reset").toBe(true);
    },
  );

  test.each(["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"])(
    "a head cut at %j becomes 502",
    async (bytes) => {
      const { response } = await forward(get(), { answer: bytes, ends: "close" });
      expect(response.status).toBe(502);
    },
  );
});

describe("responses without body", () => {
  test("the answer to HEAD keeps its length and has no body", async () => {
    const { responses } = await forward(request("HEAD /r"), {
      answer: answer("200 OK", ["Content-Length: 5"]),
      method: "HEAD",
    });
    expect(header(responses[0] ?? { headers: [] }, "content-length")).toBe("5");
  });

  test("204 has neither body nor framing", async () => {
    const { response } = await forward(get(), { answer: answer("204 No Content", []) });
    expect(response.status).toBe(204);
    expect(header(response, "content-length")).toBeNull();
    expect(header(response, "transfer-encoding")).toBeNull();
  });

  test("304 passes with its validators", async () => {
    const { response, request: seen } = await forward(get('If-None-Match: "a"'), {
      answer: answer("304 Not Modified", ['ETag: "a"', "Content-Length: 5"]),
    });
    expect([response.status, header(response, "etag")]).toEqual([304, '"a"']);
    expect(header(seen, "if-none-match")).toBe('"a"');
  });

  test("205 is an empty answer with a framing that says so", async () => {
    const { response, state } = await forward(get(), { answer: answer("205 Reset Content", ["Content-Length: 0"]) });
    expect([response.status, response.body.length, state]).toEqual([205, 0, "open"]);
  });

  test("bytes behind a 204 are not a response", async () => {
    const { responses } = await forward(get() + request("GET /second"), {
      answer: `${answer("204 No Content", [])}HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled`,
      answers: 2,
    });
    expect(responses.map(({ status }) => status)).toEqual([204, 204]);
  });
});

describe("responses until close", () => {
  test("one passes whole, and its end can be told from a break", async () => {
    const { response } = await forward(get(), { answer: answer("200 OK", [], "hello"), ends: "close" });
    expect(response.body.toString()).toBe("hello");
    expect(response.framing).toBe("chunked");
  });

  test("an HTTP/1.0 response is passed on as one of HTTP/1.1", async () => {
    const { response } = await forward(get(), { answer: "HTTP/1.0 200 OK\r\n\r\nhello", ends: "close" });
    expect(response.startLine).toBe("HTTP/1.1 200 OK");
    expect(response.body.toString()).toBe("hello");
  });
});

describe("trailers (RFC 9110 6.5)", () => {
  const trailed = (...lines: readonly string[]) => ["5", "hello", "0", ...lines, "", ""].join("\r\n");

  test("those of a request arrive as trailers, not as fields", async () => {
    const { request: seen } = await forward(
      post(["Transfer-Encoding: chunked", "Trailer: X-T"], trailed("X-T: v", "X-U: w")),
    );
    expect(seen.body.toString()).toBe("hello");
    expect(header(seen, "x-t")).toBeNull();
    expect(seen.trailers).toEqual([
      ["X-T", "v"],
      ["X-U", "w"],
    ]);
  });

  test("those that frame, route or authorise are never merged", async () => {
    const { request: seen } = await forward(
      post(["Transfer-Encoding: chunked"], trailed("Content-Length: 99", "Host: evil", "Authorization: x")),
    );
    expect(header(seen, "authorization")).toBeNull();
    expect(values(seen, "host")).toEqual(["gw.test"]);
    expect(seen.trailers.map(([name]) => name.toLowerCase())).not.toContain("content-length");
  });

  test("those of a response reach a client that wants them", async () => {
    const response200 = answer(
      "200 OK",
      ["Transfer-Encoding: chunked", "Trailer: grpc-status"],
      trailed("grpc-status: 0"),
    );
    const { response, request: seen } = await forward(get("TE: trailers", "Connection: TE"), { answer: response200 });
    expect(response.trailers).toEqual([["grpc-status", "0"]]);
    expect(header(response, "grpc-status")).toBeNull();
    expect(header(seen, "te")).toBe("trailers");
  });

  test("over trailerBytes they are refused", async () => {
    const { response, state } = await forward(
      post(["Transfer-Encoding: chunked"], trailed(`X-T: ${"v".repeat(20_000)}`)),
    );
    expect([400, 413, 431]).toContain(response.status);
    expect(state).not.toBe("open");
  });
});
