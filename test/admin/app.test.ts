import { describe, expect, test } from "bun:test";
import { adminApp, BODY_BYTES } from "../../src/admin/app.ts";
import { OPENAPI_PATH } from "../../src/admin/openapi.ts";
import { RESOURCES } from "../../src/admin/resources.ts";
import { problemView } from "../../src/admin/schemas.ts";
import type { AdminSource, WorkerServices } from "../../src/admin/source.ts";
import { bearer, EDITOR, serviceView, sourceOf, TOKENS, VIEWER } from "./support.ts";

const HOST = "localhost:9901";
const SERVICES: readonly WorkerServices[] = [
  { worker: 1, services: [serviceView()] },
  { worker: 2, services: [serviceView()] },
];

interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly address?: string;
  readonly source?: AdminSource;
}

const faults: unknown[] = [];
const onFault = (error: unknown, path: string): void => void faults.push([error, path]);

async function ask(path: string, { method = "GET", headers = {}, address = "127.0.0.1", source }: Asking = {}) {
  const app = adminApp({
    address,
    tokens: TOKENS,
    source: source ?? sourceOf(SERVICES),
    version: "1.2.3",
    onFault,
    onChange() {},
  });
  return app.request(`http://${HOST}${path}`, { method, headers: { host: HOST, ...headers } });
}

/** The code of a problem, once all that every problem must have was looked at. */
async function codeOf(response: Response): Promise<string> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const problem = problemView.parse(await response.json());
  expect(problem.status).toBe(response.status);
  return problem.type.slice("urn:torii:problem:".length);
}

const PATHS = [...RESOURCES.map(({ path }) => path.replace(":name", "shop")), OPENAPI_PATH];

describe.each([...PATHS, "/v1/nothing", "/"])("%s", (path) => {
  test("is told to nobody without a token", async () => {
    const response = await ask(path);
    expect([response.status, await codeOf(response)]).toEqual([401, "unauthenticated"]);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="torii"');
  });

  test.each([
    ["one that nobody knows", "Bearer 0f3b9a1c5d7e2846bb02"],
    ["half of one", `Bearer ${EDITOR.slice(0, 10)}`],
    ["two", `Bearer ${EDITOR}, Bearer ${VIEWER}`],
    ["its hash", `Bearer ${TOKENS[0]?.hashedToken}`],
    ["an empty one", "Bearer "],
    ["another scheme", `Basic ${EDITOR}`],
    ["no scheme", EDITOR],
  ])("is not told to who has %s", async (_, authorization) => {
    const response = await ask(path, { headers: { authorization } });
    expect([response.status, await codeOf(response)]).toEqual([401, "unauthenticated"]);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="torii", error="invalid_token"');
  });

  test.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"])("is not changed by viewers: %s", async (method) => {
    const response = await ask(path, { method, headers: bearer(VIEWER) });
    expect([response.status, await codeOf(response)]).toEqual([403, "forbidden"]);
    expect(response.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
  });
});

describe.each(PATHS)("%s", (path) => {
  test.each([
    ["viewers", VIEWER],
    ["editors", EDITOR],
  ])("is told to %s as JSON", async (_, token) => {
    const response = await ask(path, { headers: bearer(token) });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const text = await response.text();
    for (const secret of [EDITOR, VIEWER, ...TOKENS.map(({ hashedToken }) => hashedToken)])
      expect(text).not.toContain(secret);
    expect(JSON.parse(text)).toBeObject();
  });

  test("answers HEAD with the same fields and no body", async () => {
    const response = await ask(path, { method: "HEAD", headers: bearer(VIEWER) });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  test("takes no other method", async () => {
    const response = await ask(path, { method: "DELETE", headers: bearer(EDITOR) });
    expect([response.status, await codeOf(response), response.headers.get("allow")]).toEqual([
      405,
      "method_not_allowed",
      "GET, HEAD",
    ]);
  });
});

describe("the admin API", () => {
  test.each(["/", "/v1", "/v1/status/", "/v2/status", "/v1/services/none", "/v1/services/a/b"])(
    "knows no %s",
    async (path) => {
      const response = await ask(path, { headers: bearer(EDITOR) });
      expect([response.status, await codeOf(response)]).toEqual([404, "not_found"]);
    },
  );

  test("refuses a body that is too large", async () => {
    const headers = { ...bearer(EDITOR), "content-length": String(BODY_BYTES + 1) };
    const response = await ask("/v1/status", { method: "POST", headers });
    expect([response.status, await codeOf(response)]).toEqual([413, "payload_too_large"]);
  });

  test("tells nothing of what went wrong inside", async () => {
    const source = { ...sourceOf(SERVICES), routes: () => JSON.parse("a secret") };
    const response = await ask("/v1/routes", { headers: bearer(VIEWER), source });
    expect(response.status).toBe(500);
    expect(await response.clone().text()).not.toContain("secret");
    expect(await codeOf(response)).toBe("internal");
    expect(faults).toEqual([[expect.any(SyntaxError), "/v1/routes"]]);
  });

  test("says so when no worker answers, and does not take a service for one that is not there", async () => {
    const source = sourceOf([{ worker: 1, services: null }]);
    const response = await ask("/v1/services/shop", { headers: bearer(VIEWER), source });
    expect([response.status, await codeOf(response)]).toEqual([503, "no_worker"]);
    const list = await ask("/v1/services", { headers: bearer(VIEWER), source });
    expect(await list.json()).toEqual({ services: [], answered: [], missing: [1] });
  });
});

describe("a browser's request", () => {
  const with_ = (headers: Readonly<Record<string, string>>, address = "127.0.0.1") =>
    ask("/v1/status", { headers: { ...bearer(VIEWER), ...headers }, address });

  test.each(["localhost", "127.0.0.1:9901", "[::1]:9901", "LocalHost:9901"])(
    "may name this machine %s",
    async (host) => {
      expect((await with_({ host })).status).toBe(200);
    },
  );

  test.each(["evil.test:9901", "127.0.0.1.evil.test", "localhost.evil.test:9901", "10.0.0.7:9901", "", "a b", "[::1"])(
    "to an address of this machine alone may not be for %p",
    async (host) => {
      const response = await with_({ host });
      expect([response.status, await codeOf(response)]).toEqual([421, "misdirected_request"]);
    },
  );

  test("to any other address may be for any host", async () => {
    expect((await with_({ host: "torii.internal:9901" }, "0.0.0.0")).status).toBe(200);
  });

  test.each([
    { origin: "http://evil.test" },
    { origin: "null" },
    { origin: "http://localhost:8080" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ])("of another site is refused: %p", async (headers) => {
    const response = await with_(headers);
    expect([response.status, await codeOf(response)]).toEqual([403, "forbidden"]);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("of its own site is answered", async () => {
    expect((await with_({ origin: `http://${HOST}`, "sec-fetch-site": "same-origin" })).status).toBe(200);
  });
});
