import { describe, expect, test } from "bun:test";
import { request } from "../support/forward.ts";
import { header, type ResponseMessage } from "../support/message.ts";
import { ok, type Seen, startAnswering, startEcho } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

/** Routes over one echo service, named `echo`. */
function overEcho(url: string, ...routes: readonly Readonly<Record<string, unknown>>[]) {
  return { services: { echo: { discover: "static", endpoints: [{ url }] } }, routes };
}

function using(name: string, options: unknown, more: Readonly<Record<string, unknown>> = {}) {
  return { name: "tried", plugins: [{ use: name, with: options }], backends: [{ service: "echo" }], ...more };
}

async function seenBy(gateway: TestGateway, target: string, ...fields: readonly string[]): Promise<Seen> {
  const response = await gateway.exchange(request(`GET ${target}`, ...fields));
  expect(response.status).toBe(200);
  return JSON.parse(response.body.toString());
}

describe("a weighted split", () => {
  test("gives each service its share, and a weight of 0 nothing", async () => {
    await using old = startAnswering(() => ok("old"));
    await using next = startAnswering(() => ok("next"));
    await using never = startAnswering(() => ok("never"));
    const services = Object.fromEntries(
      Object.entries({ old, next, never }).map(([name, { url }]) => [
        name,
        { discover: "static", endpoints: [{ url }] },
      ]),
    );
    const backends = [
      { service: "old", weight: 80 },
      { service: "next", weight: 20 },
      { service: "never", weight: 0 },
    ];
    await using gateway = await startGateway({ routes: { services, routes: [{ name: "split", backends }] } });
    using client = await gateway.connect();
    const counts: Record<string, number> = { old: 0, next: 0, never: 0 };
    for (let i = 0; i < 1000; i++) {
      await client.send(request("GET /r"));
      const body = (await client.response()).body.toString();
      counts[body] = (counts[body] ?? 0) + 1;
    }
    expect(counts["never"]).toBe(0);
    // Twelve standard deviations of a fair draw on either side of 200.
    expect(Math.abs((counts["next"] ?? 0) - 200)).toBeLessThan(150);
  });

  test("endpoints of one service share by round robin", async () => {
    await using one = startAnswering(() => ok("1"));
    await using two = startAnswering(() => ok("2"));
    const service = {
      discover: "static",
      endpoints: [{ url: one.url }, { url: two.url }],
      loadBalancing: { policy: "round_robin" },
    };
    await using gateway = await startGateway({
      routes: { services: { pair: service }, routes: [{ name: "all", backends: [{ service: "pair" }] }] },
    });
    const bodies = [];
    for (let i = 0; i < 6; i++) bodies.push((await gateway.exchange(request("GET /r"))).body.toString());
    expect(bodies.filter((body) => body === "1")).toHaveLength(3);
  });
});

describe("matching", () => {
  test("host, then path, then method, then headers, then query decide, whatever the order of the file", async () => {
    const respond = (name: string, match: Readonly<Record<string, unknown>>, more = {}) => ({
      name,
      matches: [match],
      plugins: [{ use: "respond", with: { status: 200, body: name } }],
      ...more,
    });
    const routes = [
      respond("any", { path: "/*" }),
      respond("prefix", { path: "/a/*" }),
      respond("exact", { path: "/a/b" }),
      respond("method", { path: "/a/b", methods: ["POST"] }),
      respond("header", { path: "/a/b", headers: { "x-beta": "1" } }),
      respond("query", { path: "/a/b", query: { lang: "en" } }),
      respond("host", { path: "/*" }, { hostnames: ["shop.example.com"] }),
      respond("wildcard", { path: "/*" }, { hostnames: ["*.example.com"] }),
    ];
    await using gateway = await startGateway({ routes: { routes } });
    const at = async (line: string, ...fields: readonly string[]) =>
      (await gateway.exchange(request(line, ...fields))).body.toString();
    const onHost = async (host: string) =>
      (await gateway.exchange(request("GET /a/b").replace("gw.test", host))).body.toString();
    expect([await at("GET /"), await at("GET /a/x"), await at("GET /a"), await at("GET /ab")]).toEqual([
      "any",
      "prefix",
      "prefix",
      "any",
    ]);
    expect([
      await at("GET /a/b"),
      await at("POST /a/b"),
      await at("GET /a/b", "X-Beta: 1"),
      await at("GET /a/b?lang=en"),
    ]).toEqual(["exact", "method", "header", "query"]);
    expect([
      await onHost("shop.example.com"),
      await onHost("www.example.com:8080"),
      await onHost("example.com"),
    ]).toEqual(["host", "wildcard", "exact"]);
  });

  test("a listener serves only the routes that are bound to it or to none", async () => {
    const respond = (name: string, more = {}) => ({
      name,
      plugins: [{ use: "respond", with: { status: 200, body: name } }],
      ...more,
    });
    const listeners = [
      { name: "outer", address: "127.0.0.1", port: 0 },
      { name: "inner", address: "127.0.0.1", port: 0 },
    ];
    await using gateway = await startGateway({
      torii: { listeners },
      routes: { routes: [respond("bound", { matches: [{ path: "/bound" }], listeners: ["inner"] }), respond("free")] },
    });
    expect((await gateway.exchange(request("GET /bound"))).body.toString()).toBe("free");
  });
});

describe("filters", () => {
  async function answerOf(
    route: Readonly<Record<string, unknown>>,
    target: string,
    ...fields: readonly string[]
  ): Promise<ResponseMessage> {
    await using echo = startEcho();
    await using gateway = await startGateway({ routes: overEcho(echo.url, route) });
    return await gateway.exchange(request(`GET ${target}`, ...fields));
  }

  test("redirect replaces the prefix and keeps the query", async () => {
    const response = await answerOf(
      using("redirect", { path: { prefix: "/new" }, status: 301 }, { matches: [{ path: "/old/*" }] }),
      "/old/a%20b?x=1",
    );
    expect([response.status, header(response, "location")]).toEqual([301, "http://gw.test/new/a%20b?x=1"]);
  });

  test("redirect to another scheme drops the port that went with the old one", async () => {
    const response = await answerOf(using("redirect", { scheme: "https" }), "/r");
    expect([response.status, header(response, "location")]).toEqual([302, "https://gw.test/r"]);
  });

  test("rewrite changes what the service sees, and nothing else does", async () => {
    await using echo = startEcho();
    const route = using(
      "rewrite",
      { path: { prefix: "/v2" }, hostname: "inner.test" },
      { matches: [{ path: "/v1/*" }] },
    );
    await using gateway = await startGateway({ routes: overEcho(echo.url, route) });
    const seen = await seenBy(gateway, "/v1/%C3%A9/x?y=%zz");
    expect([seen.path, seen.host]).toEqual(["/v2/%C3%A9/x?y=%zz", "inner.test"]);
  });

  test("request-headers sets, adds and removes", async () => {
    await using echo = startEcho();
    const route = using("request-headers", { set: { "X-Set": "new" }, add: { "X-Add": "2" }, remove: ["X-Gone"] });
    await using gateway = await startGateway({ routes: overEcho(echo.url, route) });
    const { headers } = await seenBy(gateway, "/r", "X-Set: old", "X-Add: 1", "X-Gone: 1");
    expect([headers["x-set"], headers["x-add"], headers["x-gone"]]).toEqual(["new", "1, 2", undefined]);
  });

  test("response-headers sets, adds and removes", async () => {
    const response = await answerOf(
      using("response-headers", { set: { "X-Set": "new" }, remove: ["Content-Type"] }),
      "/r",
    );
    expect([header(response, "x-set"), header(response, "content-type")]).toEqual(["new", null]);
  });

  test("respond answers by itself", async () => {
    const response = await answerOf(
      { name: "tried", plugins: [{ use: "respond", with: { status: 418, json: { tea: true } } }] },
      "/r",
    );
    expect([response.status, JSON.parse(response.body.toString())]).toEqual([418, { tea: true }]);
  });

  test("cors answers a preflight and marks what depends on Origin", async () => {
    const route = using("cors", { origins: ["https://a.example"] });
    await using echo = startEcho();
    await using gateway = await startGateway({ routes: overEcho(echo.url, route) });
    const preflight = await gateway.exchange(
      request("OPTIONS /r", "Origin: https://a.example", "Access-Control-Request-Method: GET"),
      "OPTIONS",
    );
    expect([204, 200]).toContain(preflight.status);
    expect(header(preflight, "access-control-allow-origin")).toBe("https://a.example");
    expect(echo.requests).toEqual([]);
    const plain = await gateway.exchange(request("GET /r", "Origin: https://a.example"));
    expect(header(plain, "vary") ?? "").toMatch(/\borigin\b/i);
    expect(header(plain, "vary")).not.toContain("*");
  });

  test("hono/compress weakens a strong tag, or leaves it off, and says that coding matters", async () => {
    await using upstream = startAnswering(() => ok("x".repeat(5000), 'ETag: "x"'));
    const route = { name: "all", plugins: [{ use: "hono/compress" }], backends: [{ service: "echo" }] };
    await using gateway = await startGateway({ routes: overEcho(upstream.url, route) });
    const response = await gateway.exchange(request("GET /r", "Accept-Encoding: gzip"));
    expect(header(response, "content-encoding")).toBe("gzip");
    expect(Buffer.from(Bun.gunzipSync(new Uint8Array(response.body))).toString()).toBe("x".repeat(5000));
    expect(header(response, "vary") ?? "").toMatch(/accept-encoding/i);
    expect(header(response, "etag")).not.toBe('"x"');
  });
});

describe("the registry in memory", () => {
  test("endpoints that come and go are used from then on, and no longer", async () => {
    await using one = startAnswering(() => ok("one"));
    await using gateway = await startGateway({
      routes: {
        services: { mesh: { discover: "memory" } },
        routes: [{ name: "all", backends: [{ service: "mesh" }] }],
      },
    });
    expect((await gateway.exchange(request("GET /r"))).status).toBe(503);
    gateway.registry.register("mesh", { id: "one", url: one.url, weight: 1 }, Number.POSITIVE_INFINITY);
    expect((await gateway.exchange(request("GET /r"))).body.toString()).toBe("one");
    gateway.registry.deregister("mesh", "one");
    expect((await gateway.exchange(request("GET /r"))).status).toBe(503);
  });
});
