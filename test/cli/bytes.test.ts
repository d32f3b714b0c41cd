import { describe, expect, test } from "bun:test";
import { torii } from "./support.ts";

const FILES = {
  "torii.yaml": `listeners:
  - { name: db, port: 5432, protocol: tcp }
  - { name: names, port: 8443, protocol: tls_passthrough }
  - { name: http, port: 8080 }
`,
  "routes/main.yaml": `services:
  s: { endpoints: [{ url: "http://127.0.0.1:9001" }] }
  t: { discover: memory }
routes:
  - { name: db, listeners: [db], backends: [{ service: s }] }
  - { name: vault, listeners: [names], hostnames: [vault.test], backends: [{ service: s, weight: 2 }, { service: t }] }
  - { name: rest, listeners: [names], backends: [{ service: t }] }
  - { name: web, plugins: [{ use: respond, with: { status: 204 } }] }
`,
};

const explain = (...args: readonly string[]) => torii(["explain", "GET", ...args], FILES);

describe("torii routes", () => {
  test("says of a route that passes bytes whose bytes they are", async () => {
    const { out } = await torii(["routes", "--files"], FILES);
    expect(out.split("\n").map((line) => line.trimEnd())).toEqual([
      "ROUTE  HOSTS       LISTENERS  MATCHES  PLUGINS  BACKENDS",
      "db     *           db         bytes    -        s",
      "vault  vault.test  names      bytes    -        s (2), t (1)",
      "rest   *           names      bytes    -        t",
      "web    *           *          /*       respond  -",
    ]);
  });
});

describe("torii explain, of a listener that passes bytes", () => {
  test("says which route takes the name, and why the others do not", async () => {
    const { code, out } = await explain("https://vault.test/any", "--listener", "names");
    expect(code).toBe(0);
    expect(out.split("\n")).toEqual([
      "bytes for vault.test on listener names (tls_passthrough)",
      "route    vault",
      "backend  s (weight 2): http://127.0.0.1:9001",
      "backend  t (weight 1): endpoints register themselves in the gateway's own process (discover: memory); a running gateway knows them",
      "",
      "other routes:",
      "  db: stands on other listeners: db",
      "  rest: another route names the host",
    ]);
  });

  test("knows no name on tcp", async () => {
    const { out } = await explain("http://vault.test/", "--listener", "db", "--json");
    expect(JSON.parse(out)).toMatchObject({ protocol: "tcp", serverName: null, route: "db" });
  });

  test("says that nothing takes a connection", async () => {
    const file = "listeners: [{ name: db, port: 5432, protocol: tcp }]\n";
    const { out } = await torii(["explain", "GET", "http://a.test/"], { "torii.yaml": file });
    expect(out).toBe("bytes for any name on listener db (tcp)\nno route takes it: the connection is closed");
  });

  test("is not asked where a listener of HTTP is there and none is named", async () => {
    const { out } = await explain("http://vault.test/", "--json");
    expect(JSON.parse(out)).toMatchObject({ listener: "http", route: "web", others: [] });
  });
});
