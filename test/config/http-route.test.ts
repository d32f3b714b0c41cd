import { describe, expect, test } from "bun:test";
import { stringify } from "yaml";
import { builtIns } from "../../plugins/index.ts";
import type { RouteConfig } from "../../src/config/types.ts";
import { load } from "./folder.ts";

async function routesOf(spec: object, metadata: object = { name: "shop" }): Promise<readonly RouteConfig[]> {
  const document = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", metadata, spec };
  const { config } = await load({
    "torii.yaml": "listeners: [{ name: http, port: 0 }, { name: https, port: 0 }]\ndefaults: { timeout: 9s }",
    "routes/a.yaml": "services: { catalog: , cart: }\n",
    "routes/b.yaml": stringify(document),
  });
  return config.routes;
}

async function filtersOf(...filters: readonly object[]): Promise<readonly unknown[]> {
  const [route] = await routesOf({ rules: [{ filters }] });
  return route?.plugins.map(({ name, options }) => ({ [name]: options })) ?? [];
}

describe("an HTTPRoute", () => {
  test("becomes a route for each rule, named after namespace, route and rule", async () => {
    const routes = await routesOf({ rules: [{}, { name: "search" }, {}] }, { name: "shop", namespace: "web" });
    expect(routes.map(({ name }) => name)).toEqual(["web/shop/0", "web/shop/search", "web/shop/2"]);
  });

  test("without rules takes every path, and has no backend", async () => {
    const [route, ...more] = await routesOf({ hostnames: ["Shop.example.com"] });
    expect(route).toMatchObject({ name: "shop/0", hostnames: ["shop.example.com"], listeners: null, backends: [] });
    expect(route?.matches).toMatchObject([{ path: { prefix: "/" }, methods: [], headers: [], query: [] }]);
    expect(more).toEqual([]);
  });

  test("matches as it says, and of equal names only the first counts", async () => {
    const [route] = await routesOf({
      rules: [
        {
          matches: [
            { path: { value: "/a" }, method: "GET" },
            {
              path: { type: "Exact", value: "/b" },
              headers: [
                { name: "X-A", value: "1" },
                { name: "x-a", value: "2" },
              ],
            },
            { path: { type: "RegularExpression", value: "/c.*" } },
            {
              queryParams: [
                { name: "Q", value: "v.*", type: "RegularExpression" },
                { name: "q", value: "w" },
              ],
            },
          ],
        },
      ],
    });
    expect(route?.matches).toMatchObject([
      { path: { prefix: "/a" }, methods: ["GET"] },
      { path: { exact: "/b" }, headers: [{ name: "x-a", value: "1" }] },
      { path: { regex: "/c.*" } },
      {
        path: { prefix: "/" },
        query: [
          { name: "Q", value: { regex: "v.*" } },
          { name: "q", value: "w" },
        ],
      },
    ]);
    expect(route?.matches[1]?.headers).toHaveLength(1);
  });

  test("is bound to the sections of its parents, and to all listeners when one parent has none", async () => {
    const [bound] = await routesOf({ parentRefs: [{ name: "gw", sectionName: "https" }] });
    expect(bound?.listeners).toEqual(["https"]);
    const [free] = await routesOf({ parentRefs: [{ name: "gw", sectionName: "https" }, { name: "gw" }] });
    expect(free?.listeners).toBeNull();
  });

  test("marks a backend that is no known service, instead of refusing it", async () => {
    const [route] = await routesOf({
      rules: [
        {
          backendRefs: [
            { name: "catalog", port: 80, weight: 3 },
            { name: "nobody" },
            { name: "cart", kind: "ConfigMap" },
            { name: "cart", group: "example.com" },
          ],
        },
      ],
    });
    expect(route?.backends.map(({ service, isValid, weight }) => [service, isValid, weight])).toEqual([
      ["catalog", true, 3],
      ["nobody", false, 1],
      ["cart", false, 1],
      ["cart", false, 1],
    ]);
  });

  test("has its own timeouts, or the defaults", async () => {
    const rules = [{ timeouts: { request: "1h30m", backendRequest: "2s500ms" } }, {}, { timeouts: { request: "0s" } }];
    const routes = await routesOf({ rules });
    expect(routes.map(({ timeoutMs, backendTimeoutMs }) => [timeoutMs, backendTimeoutMs])).toEqual([
      [5_400_000, 2500],
      [9000, null],
      [0, null],
    ]);
  });

  test("has retries as it says: for its codes, and for connections that fail", async () => {
    const retry = { codes: [404, 503], attempts: 3, backoff: "1s500ms" };
    const [all, none, some] = await routesOf({ rules: [{ retry }, {}, { retry: {} }] });
    expect(all?.retry).toEqual({
      attempts: 3,
      on: ["connect_failure", "reset", "timeout", 404, 503],
      backoffMs: 1500,
      leastPauseMs: 1500,
      budgetShare: 0.2,
      nonIdempotent: false,
      hedge: null,
    });
    expect(none?.retry).toBeNull();
    expect(some?.retry).toMatchObject({
      attempts: 1,
      on: ["connect_failure", "reset", "timeout", 502, 503, 504],
      leastPauseMs: 25,
    });
  });

  test("may carry what a cluster wrote into it", async () => {
    const metadata = { name: "shop", uid: "1", annotations: { a: "b" }, managedFields: [{ manager: "kubectl" }] };
    expect(await routesOf({}, metadata)).toHaveLength(1);
  });
});

describe("the filters of an HTTPRoute", () => {
  test("have options that the built-in plugins take", async () => {
    const header = [{ name: "X-A", value: "1" }];
    const modifier = { set: header, add: [{ name: "x-b", value: "2" }], remove: ["x-c"] };
    const path = { type: "ReplacePrefixMatch", replacePrefixMatch: "/b" };
    const document = {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "shop" },
      spec: {
        rules: [
          {
            filters: [
              { type: "RequestHeaderModifier", requestHeaderModifier: modifier },
              { type: "ResponseHeaderModifier", responseHeaderModifier: modifier },
              { type: "URLRewrite", urlRewrite: { hostname: "in.example.com", path } },
              { type: "CORS", cors: { allowOrigins: ["*"], allowHeaders: ["x-a"], exposeHeaders: ["x-b"], maxAge: 5 } },
            ],
          },
          {
            filters: [
              {
                type: "RequestRedirect",
                requestRedirect: { scheme: "https", hostname: "b.example.com", port: 1, path },
              },
            ],
          },
        ],
      },
    };
    const plugins = new Map(builtIns.map((plugin) => [plugin.name, plugin]));
    const builtIn = { get: (name: string) => plugins.get(name), names: () => [...plugins.keys()] };
    const files = { "routes/a.json": JSON.stringify(document) };
    const { config } = await load(files, { openCatalog: async () => builtIn });
    expect(config.routes.map(({ plugins: uses }) => uses.length)).toEqual([4, 1]);
  });
});

describe("a filter of an HTTPRoute becomes", () => {
  test("request-headers and response-headers", async () => {
    const set = [
      { name: "X-A", value: "1" },
      { name: "x-a", value: "2" },
      { name: "x-b", value: "3" },
    ];
    const found = await filtersOf(
      { type: "RequestHeaderModifier", requestHeaderModifier: { set, remove: ["x-c"] } },
      { type: "ResponseHeaderModifier", responseHeaderModifier: { add: [{ name: "x-d", value: "4" }] } },
    );
    expect(found).toEqual([
      { "request-headers": { set: { "X-A": "1", "x-b": "3" }, remove: ["x-c"] } },
      { "response-headers": { add: { "x-d": "4" } } },
    ]);
  });

  test("redirect", async () => {
    const path = { type: "ReplaceFullPath", replaceFullPath: "/new" };
    expect(
      await filtersOf({
        type: "RequestRedirect",
        requestRedirect: { scheme: "https", hostname: "b.example.com", port: 8443, path, statusCode: 301 },
      }),
    ).toEqual([
      { redirect: { scheme: "https", hostname: "b.example.com", port: 8443, path: { full: "/new" }, status: 301 } },
    ]);
    expect(await filtersOf({ type: "RequestRedirect", requestRedirect: {} })).toEqual([{ redirect: { status: 302 } }]);
  });

  test("rewrite", async () => {
    const path = { type: "ReplacePrefixMatch", replacePrefixMatch: "/" };
    expect(await filtersOf({ type: "URLRewrite", urlRewrite: { hostname: "in.example.com", path } })).toEqual([
      { rewrite: { hostname: "in.example.com", path: { prefix: "/" } } },
    ]);
  });

  test("cors", async () => {
    const cors = { allowOrigins: ["https://a.example.com"], allowMethods: ["GET"], allowCredentials: true, maxAge: 60 };
    expect(await filtersOf({ type: "CORS", cors })).toEqual([
      { cors: { origins: ["https://a.example.com"], methods: ["GET"], credentials: true, maxAge: 60 } },
    ]);
  });

  test("a plugin of the backend when it stands there", async () => {
    const filters = [{ type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "x", value: "1" }] } }];
    const [route] = await routesOf({ rules: [{ backendRefs: [{ name: "catalog", filters }] }] });
    expect(route?.backends[0]?.plugins).toMatchObject([{ name: "request-headers", options: { set: { x: "1" } } }]);
  });
});
