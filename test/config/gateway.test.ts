import { describe, expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { showConfig } from "../../src/config/show.ts";
import { faults, load } from "./folder.ts";

async function redisOf(text: string, env: Readonly<Record<string, string>> = {}) {
  return (await load({ "torii.yaml": `redis: ${text}\n` }, { env })).config.redis;
}

const NOBODY = { username: null, password: null, sentinelUsername: null, sentinelPassword: null };
const ANY_TLS = { caPem: null, serverName: null, certPem: null, keyPem: null };

describe("redis", () => {
  test.each([
    ["", null],
    ['""', null],
    ["${REDIS_URL:-}", null],
    ["redis://127.0.0.1:6379", { url: "redis://127.0.0.1:6379" }],
    ['{ url: "rediss://ops:secret@[::1]:6380/2" }', { url: "rediss://ops:secret@[::1]:6380/2" }],
    ["{ cluster: [a:6379, 10.0.0.2:6379] }", { cluster: ["a:6379", "10.0.0.2:6379"], username: null, password: null }],
    ['{ sentinels: ["[::1]:26379"], name: main }', { sentinels: ["[::1]:26379"], name: "main", ...NOBODY }],
    ["{ sentinels: [a:1], name: main, password: pw }", { sentinels: ["a:1"], name: "main", ...NOBODY, password: "pw" }],
    [
      "{ sentinels: [a:1], name: main, username: me, password: pw, sentinelPassword: other, prefix: 'a/b:', tls: true }",
      {
        ...{ sentinels: ["a:1"], name: "main", username: "me", password: "pw" },
        ...{ sentinelUsername: null, sentinelPassword: "other", prefix: "a/b:", tls: ANY_TLS },
      },
    ],
    ["{ cluster: [a:1], tls: {} }", { cluster: ["a:1"], username: null, password: null, tls: ANY_TLS }],
    [
      "{ url: 'rediss://a', tls: { serverName: Redis.Internal } }",
      { url: "rediss://a", tls: { ...ANY_TLS, serverName: "redis.internal" } },
    ],
  ] as const)("written as %p is understood", async (text, expected) => {
    expect(await redisOf(text)).toEqual(expected);
  });

  test("comes from a variable that is set", async () => {
    expect(await redisOf("${REDIS_URL:-}", { REDIS_URL: "redis://r" })).toEqual({ url: "redis://r" });
  });

  test("never shows its passwords", async () => {
    const shown = async (text: string) => showConfig(await load({ "torii.yaml": `redis: ${text}\n` }));
    expect(await shown("redis://ops:pw@host")).toContain('url: "***"');
    expect(await shown("{ sentinels: [a:1], name: main, password: pw }")).toContain('password: "***"');
    expect(await faults({ "torii.yaml": "redis: redis://ops:pw@host/x\n" })).toEqual([
      'torii.yaml:1:8 redis: "***" is not the URL of a Redis; write redis://host:6379 or rediss://host:6379',
    ]);
  });
});

describe("workers", () => {
  const workersOf = async (text: string) => (await load({ "torii.yaml": text })).config.workers;

  test("are as many as it says, or as there are cores", async () => {
    expect(await workersOf("redis: redis://r\nworkers: 3\n")).toBe(3);
    expect(await workersOf("redis: redis://r\nworkers: auto\n")).toBe(availableParallelism());
    expect(await workersOf("workers: 1\n")).toBe(1);
  });

  test("are not called into question by a redis that has a fault of its own", async () => {
    const found = await faults({ "torii.yaml": "redis: nowhere\nworkers: 3\n" });
    expect(found.map((line) => line.split(" ")[1])).toEqual(["redis:"]);
  });
});

describe("overload", () => {
  test("watches what it names, and 0 is no limit", async () => {
    const overloadOf = async (text: string) => (await load({ "torii.yaml": `overload: ${text}\n` })).config.overload;
    expect(await overloadOf("{ memory: 512MiB, lag: 200ms }")).toEqual({ memoryBytes: 536_870_912, lagMs: 200 });
    expect(await overloadOf("{ lag: 0s, memory: 0 }")).toEqual({ memoryBytes: null, lagMs: null });
  });

  test("warns of a bound on memory that leaves little for traffic", async () => {
    const warningsOf = async (memory: string) =>
      (await load({ "torii.yaml": `overload: { memory: ${memory} }\n` })).warnings.map(
        ({ line, field, message }) => `${line} ${field}: ${message}`,
      );
    expect(await warningsOf("64MiB")).toEqual([
      '1 overload.memory: "64MiB" leaves little beside the 100MiB or so that the gateway takes; write 160MiB or more, or 0 for no bound',
    ]);
    for (const roomy of ["160MiB", "0"]) expect(await warningsOf(roomy)).toEqual([]);
  });
});

describe("a plain listener", () => {
  test("redirects to HTTPS where it is told to", async () => {
    const { config } = await load({
      "torii.yaml": `listeners:
  - { name: a, port: 80, redirectToHttps: true }
  - { name: b, port: 81, redirectToHttps: { port: 8443 } }
  - { name: c, port: 82, redirectToHttps: false, http2: false, http3: false }
`,
    });
    expect(config.listeners).toMatchObject([
      { httpsRedirectPort: 443, protocol: "http", hasHttp2: true },
      { httpsRedirectPort: 8443 },
      { httpsRedirectPort: null, hasHttp2: false, hasHttp3: false },
    ]);
  });
});
