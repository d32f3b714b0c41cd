import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "../../src/config/source.ts";
import { ConfigError } from "../../src/errors.ts";
import { catalog } from "./catalog.ts";
import { faults, inFolder, load, writeFiles } from "./folder.ts";

const CATALOG = "services:\n  catalog:\n";

describe("without torii.yaml", () => {
  test("one listener stands on 8080, with every default", async () => {
    const { config } = await load({});
    expect(config).toEqual({
      listeners: [
        {
          name: "http",
          address: "0.0.0.0",
          port: 8080,
          hostnames: [],
          protocol: "http",
          tls: null,
          hasHttp2: true,
          hasHttp3: false,
          expectsProxyProtocol: false,
          httpsRedirectPort: null,
          hsts: null,
          source: { file: "torii.yaml", line: null, column: null, field: "listeners[0]" },
        },
      ],
      services: [],
      routes: [],
      pluginsFolder: null,
      trustedProxies: [],
      limits: {
        headerBytes: 16_384,
        headerCount: 100,
        uriBytes: 8192,
        trailerBytes: 8192,
        bodyBytes: null,
        connections: 10_000,
        connectionsPerClient: null,
        headerTimeoutMs: 10_000,
        idleTimeoutMs: 60_000,
        bodyMinRate: null,
      },
      overload: { memoryBytes: null, lagMs: null },
      redis: null,
      zone: null,
      stateFolder: expect.stringMatching(/\/\.torii$/),
      workers: 1,
      admin: null,
      status: { address: "0.0.0.0", port: 9902 },
      accessLog: { isEnabled: true, path: null },
      shutdown: { delayMs: 5000, timeoutMs: 30_000 },
    });
  });

  test("a path that was named must exist", async () => {
    expect(await faults({}, { path: "gateway.yaml" })).toEqual([
      "gateway.yaml: cannot be read (ENOENT); create it, or correct the path",
    ]);
  });
});

describe("torii.yaml", () => {
  test("is read with its units, and its paths start at its folder", async () => {
    await inFolder(
      {
        "etc/torii.yaml": `
listeners: [{ name: public, port: 0, address: "::1", hostnames: ["*.Example.com"] }]
plugins: mine/
limits: { headerBytes: 1KiB, bodyBytes: 2MiB, uriBytes: 100, headerTimeout: 1m30s, connectionsPerClient: 5 }
telemetry: { accessLog: { enabled: false, path: logs/access.log } }
shutdown: { delay: 0s, timeout: 250ms }
redis:
`,
        "etc/routes/a.yaml": "",
      },
      async (cwd) => {
        const { config, watched } = await loadConfig({ path: "etc/torii.yaml", env: {}, cwd });
        expect(config.listeners[0]).toMatchObject({ name: "public", address: "::1", hostnames: ["*.example.com"] });
        expect(config.limits).toMatchObject({ headerBytes: 1024, bodyBytes: 2_097_152, uriBytes: 100 });
        expect(config.limits).toMatchObject({ headerTimeoutMs: 90_000, connectionsPerClient: 5 });
        expect(config.accessLog).toEqual({ isEnabled: false, path: join(cwd, "etc/logs/access.log") });
        expect(config.shutdown).toEqual({ delayMs: 0, timeoutMs: 250 });
        expect(config.pluginsFolder).toBe(join(cwd, "etc/mine"));
        expect(watched).toEqual(["etc/torii.yaml", "etc/routes", "etc/mine"].map((path) => join(cwd, path)));
      },
    );
  });

  test("may be JSON", async () => {
    const { config } = await load({ "torii.yaml": '{ "listeners": [{ "name": "a", "port": 81 }] }' });
    expect(config.listeners).toMatchObject([{ name: "a", port: 81, source: { line: 1, column: 17 } }]);
  });
});

describe("route files", () => {
  test("are read in the order of their names, hidden and foreign ones left out", async () => {
    const route = (name: string) => `routes: [{ name: ${name}, plugins: [{ use: respond, with: { status: 200 } }] }]`;
    const { config } = await load({
      "routes/b.yml": route("b"),
      "routes/a.yaml": route("a"),
      "routes/c.json": '{ "routes": [{ "name": "c", "plugins": [{ "use": "respond", "with": { "status": 204 } }] }] }',
      "routes/.swap.yaml": "not: this",
      "routes/readme.md": "not this",
      "routes/types.d.ts": "not this",
    });
    expect(config.routes.map(({ name }) => name)).toEqual(["a", "b", "c"]);
  });

  test("give routes and services all that they say, each with its place", async () => {
    const { config } = await load({
      "routes/main.yaml": `services:
  catalog:
  legacy:
    discover: static
    endpoints: [{ url: http://127.0.0.1:9001 }, { url: "http://[::1]/", weight: 3, id: six }]
    loadBalancing: { policy: round_robin }
    maxConnections: 256
    timeouts: { connect: 100ms, response: 0s }
routes:
  - name: catalog
    hostnames: [Shop.example.com]
    listeners: [http]
    matches:
      - { path: /catalog/*, methods: [GET], headers: { X-Beta: "1" }, query: { lang: { regex: "en|fr" } } }
    paths: { encodedSlash: allow }
    plugins: [{ use: add-header, with: { name: a, value: b } }]
    timeout: 5s
    backends:
      - { service: catalog, weight: 95 }
      - { service: legacy, weight: 0, plugins: [{ use: respond, with: { status: 200 } }] }
`,
    });
    const file = "routes/main.yaml";
    expect(config.services).toMatchObject([
      { name: "catalog", options: { discover: "memory", endpoints: [], balancer: "least_request", maxConnections: 0 } },
      {
        name: "legacy",
        options: {
          discover: "static",
          endpoints: [
            { id: "127.0.0.1:9001", url: "http://127.0.0.1:9001", weight: 1 },
            { id: "six", url: "http://[::1]:80", weight: 3 },
          ],
          balancer: "round_robin",
          hashBy: null,
          slowStartMs: 0,
          panicPercent: 50,
          health: null,
          maxConnections: 256,
          timeouts: { connectMs: 100, responseMs: 0, idleMs: 60_000 },
          protocol: "http1",
          tls: null,
          proxyProtocol: null,
          outliers: null,
          breaker: null,
        },
      },
    ]);
    expect(config.routes).toEqual([
      {
        name: "catalog",
        hostnames: ["shop.example.com"],
        listeners: ["http"],
        matches: [
          {
            path: "/catalog/*",
            methods: ["GET"],
            headers: [{ name: "x-beta", value: "1" }],
            query: [{ name: "lang", value: { regex: "en|fr" } }],
            source: { file, line: 14, column: 9, field: "routes[0].matches[0]" },
          },
        ],
        paths: { encodedSlash: "allow" },
        plugins: [
          {
            name: "add-header",
            options: { name: "a", value: "b" },
            middleware: null,
            isShadow: false,
            source: { file, line: 16, column: 15, field: "routes[0].plugins[0]" },
          },
        ],
        timeoutMs: 5000,
        isTimeoutTold: false,
        isPassthrough: false,
        priority: "normal",
        backendTimeoutMs: null,
        retry: null,
        backends: [
          {
            service: "catalog",
            isValid: true,
            weight: 95,
            subset: null,
            plugins: [],
            source: { file, line: 19, column: 9, field: "routes[0].backends[0]" },
          },
          {
            service: "legacy",
            isValid: true,
            weight: 0,
            subset: null,
            plugins: [
              {
                name: "respond",
                options: { status: 200 },
                middleware: null,
                isShadow: false,
                source: { file, line: 20, column: 49, field: "routes[0].backends[1].plugins[0]" },
              },
            ],
            source: { file, line: 20, column: 9, field: "routes[0].backends[1]" },
          },
        ],
        source: { file, line: 10, column: 5, field: "routes[0]" },
      },
    ]);
  });

  test("may be given one by one instead of a folder", async () => {
    const files = { "routes/a.yaml": "bogus: 1", "other/b.yaml": CATALOG };
    const { config } = await load(files, { routeFiles: ["other/b.yaml"] });
    expect(config.services.map(({ name }) => name)).toEqual(["catalog"]);
  });

  test("share parts by anchors and merge keys, what stands in a map winning", async () => {
    const { config } = await load({
      "routes/a.yaml": `services:
  a: &a { maxConnections: 5, timeouts: &t { connect: 2s } }
  b: { <<: *a, maxConnections: 6 }
  c: { timeouts: *t }
`,
    });
    expect(config.services.map(({ options }) => [options.maxConnections, options.timeouts.connectMs])).toEqual([
      [5, 2000],
      [6, 2000],
      [0, 2000],
    ]);
  });
});

describe("a file", () => {
  test("may begin with the address of its JSON Schema", async () => {
    const { config } = await load({
      "torii.yaml": "$schema: ./schemas/torii.schema.json\nlisteners: [{ name: http, port: 81 }]\n",
      "routes/a.json": '{ "$schema": "../a.json", "services": { "a": {} }, "routes": [] }',
      "routes/b.yaml": `$schema: ../a.json
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: b }
spec: {}
`,
    });
    expect(config.listeners.map(({ port }) => port)).toEqual([81]);
    expect([config.services.map(({ name }) => name), config.routes.map(({ name }) => name)]).toEqual([["a"], ["b/0"]]);
  });

  test("that is not UTF-8 is refused, and a byte order mark is not", async () => {
    await inFolder({ "routes/b.json": '\ufeff{ "services": { "b": {} } }' }, async (cwd) => {
      const again = () => loadConfig({ path: null, env: {}, cwd });
      expect((await again()).config.services).toHaveLength(1);
      await writeFile(join(cwd, "routes/a.yaml"), Buffer.from("services: { caf\xe9: }", "latin1"));
      await expect(again()).rejects.toThrow("routes/a.yaml: is not UTF-8");
    });
  });

  test("of a thousand routes is read without holding up everything else", async () => {
    const routes = Array.from({ length: 1000 }, (_, i) => `  - { name: r${i}, backends: [{ service: catalog }] }\n`);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const { config } = await load({ "routes/a.yaml": `${CATALOG}routes:\n${routes.join("")}` });
    clearInterval(timer);
    expect(config.routes).toHaveLength(1000);
    // Reading and writing files gives a few turns anyway.
    expect(turns).toBeGreaterThan(5);
  });
});

describe("defaults", () => {
  const torii = `defaults:
  timeout: 3s
  plugins: [{ use: add-header, with: { name: a, value: default } }, { use: cors }]
`;

  async function pluginsOf(own: string): Promise<readonly unknown[]> {
    const routes = `${CATALOG}routes: [{ name: a, ${own} backends: [{ service: catalog }] }]`;
    const { config } = await load({ "torii.yaml": torii, "routes/a.yaml": routes });
    expect(config.routes[0]?.timeoutMs).toBe(3000);
    return config.routes[0]?.plugins.map(({ name, options }) => [name, options]) ?? [];
  }

  test("apply to a route that names no plugins", async () => {
    expect(await pluginsOf("")).toEqual([
      ["add-header", { name: "a", value: "default" }],
      ["cors", {}],
    ]);
  });

  test("run before a route's own, which replace those of their name", async () => {
    expect(await pluginsOf("plugins: [{ use: rewrite }, { use: add-header, with: { name: a, value: own } }],")).toEqual(
      [
        ["cors", {}],
        ["rewrite", {}],
        ["add-header", { name: "a", value: "own" }],
      ],
    );
  });

  test("are refused by an empty list", async () => {
    expect(await pluginsOf("plugins: [],")).toEqual([]);
  });
});

describe("the catalog", () => {
  test("is asked once for every name, those of HTTPRoute filters included", async () => {
    const wishes: unknown[] = [];
    await inFolder(
      {
        "torii.yaml": "plugins: mine\ndefaults: { plugins: [{ use: cors }] }",
        "routes/a.yaml": `${CATALOG}routes:
  - name: a
    plugins: [{ use: hono/etag }, { use: hono/etag }]
    backends: [{ service: catalog, plugins: [{ use: respond, with: { status: 200 } }] }]
`,
      },
      async (cwd) => {
        const etag = catalog.get("cors");
        await loadConfig({
          path: null,
          env: {},
          cwd,
          openCatalog: async (wish) => {
            wishes.push({ ...wish, folder: wish.folder?.replace(cwd, "") });
            return { ...catalog, get: (name) => (name === "hono/etag" ? etag : catalog.get(name)) };
          },
        });
      },
    );
    expect(wishes).toEqual([{ folder: "/mine", names: ["cors", "hono/etag", "respond"] }]);
  });

  test("adds its own faults to the others", async () => {
    const issue = { file: "mine/x.ts", line: 1, column: 2, field: "", message: "cannot be loaded" };
    const found = await faults(
      { "torii.yaml": "plugins: mine\nbogus: 1", "routes/a.yaml": "bogus: 1" },
      { openCatalog: () => Promise.reject(new ConfigError([issue])) },
    );
    expect(found.map((line) => line.split(" ")[0])).toEqual(["torii.yaml:2:1", "routes/a.yaml:1:1", "mine/x.ts:1:2:"]);
  });
});

describe("loading again", () => {
  test("sees what changed, and a fault leaves what was loaded before as it is", async () => {
    await inFolder({ "routes/a.yaml": CATALOG }, async (cwd) => {
      const again = () => loadConfig({ path: null, env: {}, cwd });
      const first = await again();
      await writeFiles(cwd, { "routes/a.yaml": "services: [" });
      await expect(again()).rejects.toBeInstanceOf(ConfigError);
      expect(first.config.services).toHaveLength(1);
      await writeFiles(cwd, { "routes/a.yaml": "services: { a: , b: }" });
      expect((await again()).config.services).toHaveLength(2);
    });
  });
});
