import { describe, expect, test } from "bun:test";
import { type ErrorCode, errorRow } from "../../src/errors.ts";
import { get, request } from "../support/forward.ts";
import { header, type ResponseMessage } from "../support/message.ts";
import { closedPort } from "../support/unreachable.ts";
import { ok, type Script, startAnswering, startUpstream } from "../support/upstream.ts";
import { catchAll, type ProxySetup, startGateway, startProxy } from "../support.ts";

const URI = /^[a-z][a-z0-9+.-]*:\S+$/;

/** Checks that an answer is the RFC 9457 problem of this code. */
function expectProblem(response: ResponseMessage, code: ErrorCode): void {
  const { status, title } = errorRow(code);
  expect(response.status).toBe(status);
  expect(header(response, "content-type")).toBe("application/problem+json");
  const problem = JSON.parse(response.body.toString());
  expect(problem).toMatchObject({ type: `urn:torii:problem:${code}`, title, status });
  expect(problem.instance).toMatch(URI);
  expect(typeof problem.detail).toBe("string");
  for (const name of Object.keys(problem)) expect(name).toMatch(/^[A-Za-z][A-Za-z0-9_]{2,}$/);
  expect(response.body.toString()).not.toMatch(
    /\bat .*:\d+:\d+|\/home\/|\/tmp\/|node_modules|127\.0\.0\.1:|E[A-Z]+REFUSED|ECONNRESET/,
  );
}

describe("faults of the request", () => {
  const cases: readonly (readonly [ErrorCode, string, ProxySetup])[] = [
    ["bad_request", get("Bad Header"), {}],
    ["ambiguous_path", request("GET /a/../b"), {}],
    ["route_not_found", request("GET /elsewhere"), { route: { matches: [{ path: "/r" }] } }],
    ["route_not_found", "GET /r HTTP/1.1\r\nHost: other.test\r\n\r\n", { route: { hostnames: ["gw.test"] } }],
    ["method_not_allowed", request("TRACE /r"), {}],
    ["payload_too_large", request("POST /r", "Content-Length: 2000"), { torii: { limits: { bodyBytes: "1KiB" } } }],
    ["uri_too_long", request(`GET /${"a".repeat(9000)}`), {}],
    ["headers_too_large", get(`X-Big: ${"b".repeat(20_000)}`), {}],
    ["expectation_failed", get("Expect: miracles"), {}],
    ["not_implemented", `${request("POST /r", "Transfer-Encoding: gzip, chunked")}0\r\n\r\n`, {}],
    ["version_not_supported", "GET /r HTTP/1.9\r\nHost: gw.test\r\n\r\n", {}],
  ];

  test.each(cases)("%s is told as a problem", async (code, bytes, setup) => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, setup);
    expectProblem(await gateway.exchange(bytes), code);
    expect(upstream.requests).toEqual([]);
  });

  test("request_timeout is told as a problem, or the connection is closed in silence", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, { torii: { limits: { headerTimeout: "100ms" } } });
    using client = await gateway.connect();
    await client.send("GET /r HTTP/1.1\r\n");
    const { message } = await client.outcome();
    if (message !== null) expectProblem(message, "request_timeout");
    await client.peer.ending();
  });
});

describe("faults of the service", () => {
  const cases: readonly (readonly [ErrorCode, string, Script])[] = [
    ["upstream_reset", "hangs up", async (connection) => void connection.peer.close()],
    [
      "upstream_reset",
      "resets",
      async (connection) => {
        await connection.request();
        connection.peer.reset();
      },
    ],
    [
      "upstream_protocol",
      "speaks no HTTP",
      async (connection) => {
        await connection.request();
        await connection.send("garbage\r\n\r\n");
      },
    ],
    ["upstream_timeout", "says nothing", async (connection) => void (await connection.request())],
  ];

  test.each(cases)("%s when it %s", async (code, _, script) => {
    await using upstream = startUpstream(script);
    await using gateway = await startProxy(upstream.url, { service: { timeouts: { response: "200ms" } } });
    const response = await gateway.exchange(`${request("POST /r", "Content-Length: 2")}hi`, "POST");
    expectProblem(response, code);
    expect(JSON.parse(response.body.toString())).toMatchObject({ route: "all", service: "upstream" });
  });

  test("upstream_connect when nobody listens", async () => {
    await using gateway = await startProxy(`http://127.0.0.1:${closedPort()}`);
    expectProblem(await gateway.exchange(get()), "upstream_connect");
  });

  test("no_endpoint when none is alive", async () => {
    await using gateway = await startGateway({
      routes: {
        services: { upstream: { discover: "memory" } },
        routes: [{ name: "all", backends: [{ service: "upstream" }] }],
      },
    });
    expectProblem(await gateway.exchange(get()), "no_endpoint");
  });
});

describe("faults of the gateway", () => {
  test("backend_invalid when a route leads nowhere", async () => {
    const weightless = {
      ...catchAll("http://127.0.0.1:1"),
      routes: [{ name: "all", backends: [{ service: "upstream", weight: 0 }] }],
    };
    await using gateway = await startGateway({ routes: weightless });
    expectProblem(await gateway.exchange(get()), "backend_invalid");
  });

  test("loop_detected when a request goes round in a circle", async () => {
    const port = closedPort();
    await using gateway = await startProxy(`http://127.0.0.1:${port}`, {
      torii: { listeners: [{ name: "http", address: "127.0.0.1", port }] },
    });
    expectProblem(await gateway.exchange(get()), "loop_detected");
  });

  test("internal when a plugin throws, and no word of why", async () => {
    const file =
      "export default { routes: [{ name: 'all', plugins: [{ use: () => { throw new Error('secret reason'); } }] }] };\n";
    await using gateway = await startGateway({ files: { "routes/main.ts": file } });
    const response = await gateway.exchange(get());
    expectProblem(response, "internal");
    expect(response.body.toString()).not.toContain("secret");
  });
});

describe("the form of a problem", () => {
  const elsewhere = { route: { matches: [{ path: "/other" }] } };

  test("HEAD gets the same fields and no body", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, elsewhere);
    const response = await gateway.exchange(request("HEAD /r"), "HEAD");
    expect([response.status, header(response, "content-type"), response.body.length]).toEqual([
      404,
      "application/problem+json",
      0,
    ]);
  });

  test("its instance is the request's id in the access log", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, elsewhere);
    const response = await gateway.exchange(get());
    const line = await gateway.logged(({ path }) => path === "/r");
    expect(JSON.parse(response.body.toString()).instance).toContain(String(line["requestId"]));
    expect(line).toMatchObject({ status: 404, flags: ["route_not_found"] });
  });

  test("a request that cannot be parsed is in the access log too", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    await gateway.exchange(get("Bad Header"));
    expect(await gateway.logged(({ flags }) => String(flags) === "bad_request")).toMatchObject({
      status: 400,
      client: "127.0.0.1",
    });
  });

  test("a request that cannot be parsed is in the metrics too", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    await gateway.exchange(get("Bad Header"));
    const metrics = await fetch(`http://127.0.0.1:${gateway.gateway.statusPort}/metrics`).then((response) =>
      response.text(),
    );
    expect(metrics).toMatch(
      /^http_server_request_duration_seconds_count\{[^}]*http_response_status_code="400"[^}]*\} 1$/m,
    );
  });

  test("it leaves the connection usable where the request was understood", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, elsewhere);
    using client = await gateway.connect();
    await client.send(get() + request("GET /other"));
    expect([(await client.response()).status, (await client.response()).status]).toEqual([404, 200]);
  });
});
