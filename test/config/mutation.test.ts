import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/source.ts";
import { ConfigError } from "../../src/errors.ts";
import { seededWords } from "../support/chance.ts";
import { catalog } from "./catalog.ts";
import { inFolder, writeFiles } from "./folder.ts";

const TORII = `listeners:
  - { name: http, port: 8080, hostnames: ["*.example.com"] }
redis: \${REDIS_URL:-}
trustedProxies: [10.0.0.0/8]
defaults: { timeout: 15s, plugins: [{ use: add-header, with: { name: a, value: b } }] }
limits: &l { headerBytes: 16KiB, bodyBytes: 10MiB, connections: 10000 }
telemetry: { accessLog: { enabled: true, path: access.log } }
shutdown: { delay: 5s, timeout: 30s }
`;

const ROUTES = `services:
  catalog:
  legacy: &legacy
    discover: static
    endpoints: [{ url: http://127.0.0.1:9001, weight: 1 }]
  other: { <<: *legacy, maxConnections: 5 }
routes:
  - name: catalog
    hostnames: [shop.example.com]
    matches:
      - { path: /catalog/*, methods: [GET] }
      - { path: { regex: "^/v[12]" }, headers: { x-beta: "1" }, query: { lang: { regex: "en|fr" } } }
    plugins: [{ use: respond, with: { status: 200 } }]
    backends: [{ service: catalog, weight: 95 }, { service: legacy }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ name: gw, sectionName: http }]
  rules:
    - filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }]
      backendRefs: [{ name: catalog }]
`;

const PIECES = [
  "",
  " ",
  "\n",
  "\t",
  "{",
  "}",
  "[",
  "]",
  ":",
  ": ",
  "- ",
  "*l",
  "&x ",
  "<<: *legacy",
  "!!map ",
  "? ",
  "|",
  ">-",
  '"',
  "'",
  "#",
  "%",
  "---\n",
  "null",
  "-1",
  "1e999",
  ".nan",
  "true",
  "${X}",
  "${",
  "__proto__: {}",
  "constructor: 1",
  "\u0000",
  "\ud800",
  "🜁",
  "a".repeat(300),
  "{ a: { b: [ 1, { c: d } ] } }",
];

/** Numbers below a bound that are the same for the same seed. */
function chance(seed: number): (bound: number) => number {
  const next = seededWords(seed);
  return (bound) => next() % bound;
}

function mutated(text: string, below: (bound: number) => number): string {
  let result = text;
  for (let i = below(3); i >= 0; i--) {
    const at = below(result.length + 1);
    const length = below(4) === 0 ? below(60) : below(3);
    const piece =
      below(4) === 0 ? result.slice(below(result.length), below(result.length)) : (PIECES[below(PIECES.length)] ?? "");
    result = result.slice(0, at) + piece + result.slice(at + length);
  }
  return result;
}

describe("a configuration", () => {
  test("is loaded as it stands", async () => {
    await inFolder({ "torii.yaml": TORII, "routes/a.yaml": ROUTES }, async (cwd) => {
      const { config } = await loadConfig({ path: null, env: {}, cwd, openCatalog: async () => catalog });
      expect(config.routes).toHaveLength(2);
    });
  });

  test("however it is damaged, is loaded or refused with located faults", async () => {
    let refused = 0;
    await inFolder({}, async (cwd) => {
      for (let seed = 0; seed < 800; seed++) {
        const below = chance(seed);
        const files = { "torii.yaml": mutated(TORII, below), "routes/a.yaml": mutated(ROUTES, below) };
        await writeFiles(cwd, files);
        try {
          await loadConfig({ path: null, env: {}, cwd, openCatalog: async () => catalog });
        } catch (error) {
          if (!(error instanceof ConfigError)) throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
          refused++;
          expect(error.issues.length).toBeGreaterThan(0);
          for (const issue of error.issues) if (issue.line === null) throw new Error(`seed ${seed}: ${error.message}`);
        }
      }
    });
    expect(refused).toBeGreaterThan(300);
  });
});
