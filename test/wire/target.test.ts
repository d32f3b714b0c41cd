import { describe, expect, test } from "bun:test";
import { forward, get, request } from "../support/forward.ts";
import { header, values } from "../support/message.ts";

/** Sends and tells the status; the service must not have been reached. */
async function refusal(bytes: string): Promise<number> {
  const { response, requests } = await forward(bytes);
  expect(requests).toEqual([]);
  return response.status;
}

describe("Host (RFC 9112 3.2)", () => {
  test.each([
    ["none", "GET /r HTTP/1.1\r\n\r\n"],
    ["two", get("Host: evil.test")],
    ["two equal ones", get("Host: gw.test")],
    ["one with a path", "GET /r HTTP/1.1\r\nHost: gw.test/x\r\n\r\n"],
    ["one with user information", "GET /r HTTP/1.1\r\nHost: user@gw.test\r\n\r\n"],
    ["one with a port of letters", "GET /r HTTP/1.1\r\nHost: gw.test:http\r\n\r\n"],
    ["a list", "GET /r HTTP/1.1\r\nHost: gw.test, evil.test\r\n\r\n"],
  ])("%s is refused", async (_, bytes) => {
    expect(await refusal(bytes)).toBe(400);
  });

  test("an absolute target replaces it, and the service gets a path", async () => {
    const { request } = await forward("GET http://gw.test/r?x=1 HTTP/1.1\r\nHost: other.test\r\n\r\n");
    expect(request.target).toBe("/r?x=1");
    expect(values(request, "host")).toEqual(["gw.test"]);
  });

  test("exactly one reaches the service, with its port", async () => {
    const { request } = await forward("GET /r HTTP/1.1\r\nHost: gw.test:8080\r\n\r\n");
    expect(values(request, "host")).toEqual(["gw.test:8080"]);
  });

  test("HTTP/1.0 may do without", async () => {
    const { response } = await forward("GET /r HTTP/1.0\r\n\r\n");
    expect(response.status).toBe(200);
  });
});

describe("the target (RFC 9110 7.7)", () => {
  const encodedSlash = { route: { paths: { encodedSlash: "allow" } } };

  test.each(["/a%2Fb/%7e/x;y=1?q='%27&&=&z", "/a//b/", "/%E2%82%AC?%zz", "/r??", "/caf%C3%A9;v=1,2/"])(
    "%s arrives byte for byte",
    async (target) => {
      const { request: seen } = await forward(request(`GET ${target}`), encodedSlash);
      expect(seen.target).toBe(target);
    },
  );

  test("an absolute target without path becomes /", async () => {
    const { request: seen } = await forward("GET http://gw.test HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    expect(seen.target).toBe("/");
  });

  test("an absolute target with a query and no path keeps the query", async () => {
    const { request: seen } = await forward("GET http://gw.test?x=1 HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    expect(seen.target).toBe("/?x=1");
  });

  test("a target longer than the limit is refused with 414", async () => {
    expect(await refusal(request(`GET /${"a".repeat(9000)}`))).toBe(414);
  });

  test("a target far beyond all limits is refused", async () => {
    expect([414, 431]).toContain(await refusal(request(`GET /${"a".repeat(100_000)}`)));
  });

  test.each([
    "/a/../b",
    "/a/%2e%2E/b",
    "//evil",
    "/a%2fb",
    "/a%5Cb",
    "/a\\b",
    "/a%00",
    "/a%zz",
    "/%ff",
    "/a/.",
    "/a%0ab",
  ])("%s is refused as ambiguous", async (target) => {
    const { response, requests } = await forward(request(`GET ${target}`));
    expect(response.status).toBe(400);
    expect(JSON.parse(response.body.toString()).type).toBe("urn:torii:problem:ambiguous_path");
    expect(requests).toEqual([]);
  });
});

describe("methods (RFC 9110 9)", () => {
  test("one that nobody knows is forwarded", async () => {
    const { request: seen } = await forward(request("BREW /r"));
    expect(seen.method).toBe("BREW");
  });

  test("CONNECT opens no tunnel", async () => {
    expect([400, 405, 501]).toContain(
      await refusal("CONNECT internal.test:22 HTTP/1.1\r\nHost: internal.test:22\r\n\r\n"),
    );
  });

  test("TRACE is refused", async () => {
    expect([405, 501]).toContain(await refusal(request("TRACE /r")));
  });
});

describe("limits of a head (RFC 6585 5)", () => {
  test("a head over headerBytes is refused with 431", async () => {
    expect(await refusal(get(`X-Big: ${"b".repeat(17_000)}`))).toBe(431);
  });

  test("more fields than headerCount are refused with 431", async () => {
    expect(await refusal(get(...Array.from({ length: 200 }, (_, at) => `X-${at}: v`)))).toBe(431);
  });

  test("a head within the limits passes whole", async () => {
    const { request: seen } = await forward(get(`X-Big: ${"b".repeat(15_000)}`));
    expect(header(seen, "x-big")).toHaveLength(15_000);
  });

  test("a head that cannot be parsed gets a problem and the close of its connection", async () => {
    const { response } = await forward(get("Bad Header"));
    expect(response.status).toBe(400);
    expect(header(response, "content-type")).toBe("application/problem+json");
    expect(header(response, "connection")).toBe("close");
  });
});
