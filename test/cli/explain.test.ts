import { describe, expect, test } from "bun:test";
import { CERTS } from "../config/folder.ts";
import { SHOP, torii } from "./support.ts";

const explain = (...args: readonly string[]) => torii(["explain", ...args], SHOP);

/** The answer as `--json` gives it. */
async function answer(...args: readonly string[]) {
  return JSON.parse((await explain(...args, "--json")).out);
}

const ANSWER = "{ use: respond, with: { status: 204 } }";

describe("torii explain", () => {
  test("names the route, its parameters, plugins in order, backends and endpoints", async () => {
    const { code, out } = await explain("GET", "http://shop.test/users/7?x=1");
    expect(code).toBe(0);
    const [before = "", after = ""] = out.split("\n\nother routes:\n");
    expect(before.split("\n")).toEqual([
      "GET shop.test/users/7?x=1",
      "listener http",
      "route    users",
      "path     /users/7",
      'params   {"id":"7"}',
      "plugins  request-headers",
      "backend  shop (weight 95): http://127.0.0.1:9001, http://127.0.0.1:9002",
      "backend  next (weight 5): endpoints register themselves in the gateway's own process (discover: memory); a running gateway knows them, plugins response-headers",
    ]);
    expect(after.split("\n").map((line) => /^ {2}(\w+): ./.exec(line)?.[1])).toEqual(["beta", "inner", "all"]);
  });

  test("says it all in JSON too", async () => {
    expect(await answer("GET", "http://shop.test/users/7")).toMatchObject({
      route: "users",
      path: "/users/7",
      refusal: null,
      params: { id: "7" },
      plugins: ["request-headers"],
      backends: [
        { service: "shop", weight: 95, endpoints: ["http://127.0.0.1:9001", "http://127.0.0.1:9002"], plugins: [] },
        { service: "next", weight: 5, endpoints: null, plugins: ["response-headers"] },
      ],
      timeoutMs: 5000,
    });
  });

  test("tells why every other route lost", async () => {
    const { others } = await answer("POST", "http://shop.test/users/7");
    const reasons: Record<string, string> = Object.fromEntries(
      others.map((one: { route: string; reasons: readonly string[] }) => [one.route, one.reasons.join("; ")]),
    );
    expect(Object.keys(reasons).sort()).toEqual(["beta", "inner", "users"]);
    expect(reasons["users"]).toMatch(/method/i);
    expect(reasons["beta"]).toMatch(/x-beta/);
    expect(reasons["inner"]).toMatch(/listener|path/);
  });

  test.each([
    ["a header decides", ["GET", "http://shop.test/users/a/b?lang=en", "-H", "X-Beta: 1"], "beta"],
    ["a header of another value does not", ["GET", "http://shop.test/users/a/b?lang=en", "-H", "X-Beta: 2"], "all"],
    ["a query decides", ["GET", "http://shop.test/users/a/b?lang=de", "-H", "X-Beta: 1"], "all"],
    ["the first listener is meant", ["GET", "/inner"], null],
    ["another listener is named", ["GET", "/inner", "--listener", "inner"], "inner"],
    ["the host stands in a header", ["GET", "/x", "-H", "Host: shop.test"], "all"],
    ["the host is written large, with port and dot", ["GET", "http://SHOP.test.:8080/x"], "all"],
    ["the path is encoded", ["GET", "http://shop.test/%75sers/7"], "users"],
    ["there is no path", ["GET", "http://shop.test"], "all"],
    ["there is only a query", ["GET", "http://shop.test?a=b"], "all"],
    ["the host is unknown", ["GET", "http://other.test/users/7"], null],
  ])("when %s", async (_, args, route) => {
    expect((await answer(...args)).route).toBe(route);
  });

  test.each([
    ["Zürich", "city"],
    ["Köln", null],
  ])("compares the header %s as UTF-8", async (city, route) => {
    const matches = '[{ headers: { x-city: "Zürich" } }]';
    const files = { "routes/a.yaml": `routes: [{ name: city, matches: ${matches}, plugins: [${ANSWER}] }]` };
    const { out } = await torii(["explain", "GET", "/", "-H", `x-city: ${city}`, "--json"], files);
    const { others, ...answer } = JSON.parse(out);
    expect(answer.route).toBe(route);
    const reason = `header x-city is "${city}", wanted "Zürich"`;
    expect(others).toEqual(route === null ? [{ route: "city", reasons: [reason] }] : []);
    expect((await torii(["routes", "--files"], files)).out).toContain('header x-city (wanted "Zürich")');
  });

  test("ends with 0 when no route takes the request, as that is an answer, and says so", async () => {
    const { code, out } = await explain("GET", "http://other.test/");
    expect([code, out]).toEqual([0, expect.stringContaining("404 route_not_found")]);
  });

  test("explains the path as it was sent, and why it is refused", async () => {
    const { code, out } = await explain("GET", "http://shop.test/users/../admin");
    expect(code).toBe(0);
    expect(out).toContain("/users/../admin");
    expect(out).toContain("400 ambiguous_path");
  });

  test("names the route that would take a path that is refused", async () => {
    const refused = await answer("GET", "http://shop.test/users/x/../7");
    expect(refused).toMatchObject({ route: null, wouldBe: "all", refusal: expect.stringContaining("dot") });
    expect(refused.others.map((other: { route: string }) => other.route)).not.toContain("all");
    const { out } = await explain("GET", "http://shop.test/users/x/../7");
    expect(out.split("\n")[3]).toBe("route all would take it, if its paths allowed that");
    expect((await answer("GET", "http://shop.test/users/7")).wouldBe).toBeNull();
    const nobody = await answer("GET", "http://other.test/a/../b");
    expect(nobody).toMatchObject({ route: null, wouldBe: null, refusal: expect.any(String) });
  });

  const HOSTS = {
    "torii.yaml":
      'listeners: [{ name: shop, port: 8080, hostnames: ["*.shop.test"] }, { name: all, port: 8081 }, { name: two, port: 8082, hostnames: [a.test, b.test] }]\n',
    "routes/a.yaml": `routes: [{ name: any, plugins: [${ANSWER}] }]`,
  };

  test.each([
    [["GET", "http://www.shop.test/"], "any", null],
    [["GET", "http://shop.test/"], null, "listener shop serves *.shop.test, not shop.test"],
    [["GET", "http://shop.test/", "--listener", "all"], "any", null],
    [["GET", "http://b.test/", "--listener", "two"], "any", null],
    [["GET", "http://c.test/a/../b", "--listener", "two"], null, "listener two serves a.test, b.test, not c.test"],
    [["GET", "/"], null, "listener shop serves *.shop.test, not a request without host"],
  ])("asks first whether the listener serves the host: %j", async (args, route, unserved) => {
    const { code, out } = await torii(["explain", ...args], HOSTS);
    expect(code).toBe(0);
    if (unserved !== null) {
      expect(out.split("\n").slice(2)).toEqual([`no route takes it: 404 route_not_found; ${unserved}`]);
    }
    const json = JSON.parse((await torii(["explain", ...args, "--json"], HOSTS)).out);
    expect(json).toMatchObject({ listener: args[3] ?? "shop", route, unserved, refusal: null, wouldBe: null });
  });

  const EDGE = {
    "torii.yaml": `listeners:
  - { name: web, port: 80, redirectToHttps: { port: 8443 } }
  - { name: lan, port: 8081 }
  - { name: all, port: 8443, tls: { certificates: [{ cert: certs/alone.pem, key: certs/alone.key }] } }
  - { name: shop, port: 8443, hostnames: [shop.example.com], tls: { certificates: [{ cert: certs/shop.pem, key: certs/shop.key }] } }
  - { name: names, port: 9443, protocol: tls_passthrough }
`,
    "routes/a.yaml": `routes: [{ name: any, plugins: [${ANSWER}] }, { name: proof, matches: [{ path: /.well-known/acme-challenge/* }], plugins: [${ANSWER}] }]`,
    ...CERTS,
  };
  const edge = (...args: readonly string[]) => torii(["explain", ...args], EDGE);

  test.each([
    ["https://a.test/", "all"],
    ["https://shop.example.com/", "shop"],
    ["https://shop.example.com:8443/", "shop"],
    ["https://shop.example.com:443/", "shop"],
    ["https://shop.example.com:9443/", "names"],
    ["http://shop.example.com/", "web"],
    ["http://shop.example.com:8081/", "lan"],
    ["http://shop.example.com:8443/", "web"],
    ["/", "web"],
  ])("asks the listener that %s comes to, by its port, its scheme and its host", async (url, listener) => {
    const { out } = await edge("GET", url, "--json");
    expect(JSON.parse(out).listener).toBe(listener);
  });

  test("says that a listener redirects, unless a route takes an authority's question", async () => {
    expect(await edge("POST", "http://shop.example.com/x?token=abc")).toMatchObject({
      code: 0,
      out: "POST shop.example.com/x?token=***\nlistener web\nredirected with 308 to https://shop.example.com:8443/x?token=***: redirectToHttps of the listener, before any route",
    });
    const redirected = JSON.parse((await edge("GET", "http://shop.example.com/x", "--json")).out);
    expect(redirected.redirect).toEqual({ status: 301, location: "https://shop.example.com:8443/x" });
    const proof = JSON.parse((await edge("GET", "http://a.test/.well-known/acme-challenge/x", "--json")).out);
    expect(proof).toMatchObject({ route: "proof", redirect: null });
  });

  test("refuses a listener that is not there, and names those that are", async () => {
    const { code, out, err } = await explain("GET", "/inner", "--listener", "outer");
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain('there is no listener "outer"; there is http, inner');
  });

  test.each([
    ["/x?a=1&access_token=abc&b=2", "GET shop.test/x?a=1&access_token=***&b=2"],
    ["/x?X-Amz-Signature=abc", "GET shop.test/x?X-Amz-Signature=***"],
    ["/x?name=Köln", "GET shop.test/x?name=Köln"],
  ])("shows %s without its secrets", async (target, first) => {
    const { out } = await explain("GET", `http://shop.test${target}`);
    expect(out.split("\n")[0]).toBe(first);
    expect(out).not.toContain("abc");
  });

  test("does not repeat a secret in what it says of a misuse", async () => {
    const { err } = await explain("GET", "shop?token=abc");
    expect(err).toContain("shop?token=*** is no URL");
    const { code, err: other } = await explain("GET", "http://me:abc@shop.test/");
    expect([code, other.includes("credentials"), other.includes("abc")]).toEqual([2, true, false]);
  });

  test("says that a plugin answers where there is no backend", async () => {
    const { out } = await explain("GET", "/inner", "--listener", "inner");
    expect(out).toContain("backend  none: a plugin answers");
  });

  test.each([
    [[], "a method and a URL"],
    [["GET"], "a method and a URL"],
    [["GET", "/a", "/b"], "a method and a URL"],
    [["GET", "no url"], "no URL"],
    [["GET", "ftp://shop.test/"], "no URL"],
    [["GET", "/", "-H", "nothing"], "no header"],
    [["GET", "/", "-H", ": x"], "no header"],
    [["GET", "/", "-H", "a b: x"], "invalid header name"],
    [["GET", "/", "--nonsense"], "--nonsense"],
  ])("is misused with %j", async (args, says) => {
    const { code, out, err } = await explain(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(says);
    expect(err).toContain("usage: torii explain METHOD URL");
  });

  test("shows the faults of a configuration instead, and ends with 1", async () => {
    const { code, err } = await torii(["explain", "GET", "/"], { "routes/main.yaml": "routes: 7\n" });
    expect([code, err]).toEqual([1, expect.stringMatching(/^routes\/main\.yaml:1:\d+ routes: /)]);
  });
});
