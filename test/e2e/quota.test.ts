import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bearer, EDITOR, VIEWER } from "../admin/support.ts";
import { startReady, type Workers } from "../supervisor/support.ts";
import { exchange } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { closedPort } from "../support/unreachable.ts";

setDefaultTimeout(60_000);

interface Counted extends Workers {
  /** Asks the ledger; the answer's body as it is. */
  ledger(key: string, init?: RequestInit & { readonly token?: string }): Promise<Response>;
}

const ROUTES = (options: Readonly<Record<string, unknown>>) => ({
  routes: [
    {
      name: "api",
      plugins: [
        { use: "quota", with: { name: "per-user", limit: 50, per: "day", by: "header.x-user", ...options } },
        { use: "rate-limit", with: { name: "fast", limit: 100_000, per: "1s", by: "ip", onStoreError: "allow" } },
        { use: "respond", with: { status: 200, body: "ok" } },
      ],
    },
  ],
});

async function start(redis: RedisProcess | null, options = {}, workers = 1): Promise<Counted> {
  const adminPort = closedPort();
  const tokens = [
    { name: "looks", token: VIEWER, role: "viewer" },
    { name: "ops", token: EDITOR, role: "editor" },
  ];
  const torii = {
    redis: redis?.url ?? "",
    admin: { port: adminPort, tokens },
    telemetry: { accessLog: { enabled: false } },
  };
  const files = { "routes/main.ts": "export default {};", "routes/api.yaml": JSON.stringify(ROUTES(options)) };
  const running = await startReady({ workers, torii, files });
  return {
    ...running,
    ledger: (key, { token = EDITOR, headers, ...init } = {}) =>
      fetch(`http://127.0.0.1:${adminPort}/v1/limits/per-user/keys/${key}`, {
        ...init,
        headers: { ...bearer(token), ...headers },
      }),
  };
}

/** The statuses of so many requests, one after the other. */
async function ask({ port }: Pick<Workers, "port">, user: string, count: number): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let left = count; left > 0; left--) {
    const { status } = await exchange({ port }, `GET / HTTP/1.1\r\nHost: a\r\nx-user: ${user}\r\n\r\n`);
    statuses.push(status);
  }
  return statuses;
}

function admitted(statuses: readonly number[]): number {
  return statuses.filter((status) => status === 200).length;
}

/** Asks until the quota refuses for good: what others hold comes back first. */
async function exhaust(gateway: Counted, user: string): Promise<number> {
  let sum = 0;
  await eventually(
    async () => {
      const some = admitted(await ask(gateway, user, 20));
      sum += some;
      const { leased } = (await (await gateway.ledger(user)).json()) as { readonly leased: number };
      return some === 0 && leased === 0;
    },
    "the quota to be used",
    30_000,
  );
  return sum;
}

describe("a quota that gateways share through Redis", () => {
  test("is used to the last unit by both, and by no more", async () => {
    await using redis = await startRedis();
    await using one = await start(redis);
    await using two = await start(redis, {}, 2);
    const both = await Promise.all([ask(one, "u", 40), ask(two, "u", 40)]);
    const first = both.reduce((sum, statuses) => sum + admitted(statuses), 0);
    expect(first + (await exhaust(one, "u"))).toBe(50);
    const refused = await exchange(one, "GET / HTTP/1.1\r\nHost: a\r\nx-user: u\r\n\r\n");
    expect(refused.status).toBe(429);
    const fields = new Map(refused.headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(fields.get("ratelimit-policy")).toBe('"per-user";q=50;w=86400');
    expect(Number(fields.get("retry-after"))).toBeGreaterThan(0);
    expect(Number(fields.get("retry-after"))).toBeLessThanOrEqual(86_400);
    expect(
      await one.metric('torii_quota_decisions_total{limit="per-user",outcome="refused",mode="leased"}'),
    ).toBeGreaterThan(0);
    expect(Number(await redis.cli("dbsize"))).toBeGreaterThan(0);
    for (const key of (await redis.cli("keys", "*limit:*")).split("\n")) {
      expect([key, Number(await redis.cli("pttl", key)) > 0]).toEqual([key, true]);
    }
  });

  test("outlives gateways that are killed, and a Redis that keeps its file", async () => {
    const dir = await mkdtemp(join(tmpdir(), "torii-aof-"));
    try {
      await using redis = await startRedis({ args: ["--dir", dir, "--appendonly", "yes", "--appendfsync", "always"] });
      const one = await start(redis);
      const first = admitted(await ask(one, "u", 30));
      // A disk that is slow may hold an answer up for longer than requests wait.
      expect(first).toBeGreaterThan(20);
      one.torii.signal("SIGKILL");
      await one.torii.exited;
      await one[Symbol.asyncDispose]();
      await redis.kill();
      await redis.restart();
      await using two = await start(redis);
      const statuses = await ask(two, "u", 40);
      expect(first + admitted(statuses)).toBeLessThanOrEqual(50);
      expect(first + admitted(statuses)).toBeGreaterThan(35);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  test("refuses while Redis is away, or lets through and counts it later, and fails nobody", async () => {
    await using redis = await startRedis();
    await using strict = await start(redis);
    await using open = await start(redis, { onStoreError: "allow" });
    await redis.kill();
    await eventually(async () => (await ask(strict, "v", 1))[0] === 429, "a refusal");
    expect(new Set(await ask(strict, "v", 20))).toEqual(new Set([429]));
    expect(new Set(await ask(open, "v", 20))).toEqual(new Set([200]));
    expect((await strict.ledger("v")).status).toBe(503);
    await redis.restart();
    await eventually(
      async () => {
        const response = await open.ledger("v");
        return response.ok && ((await response.json()) as { readonly used: number }).used >= 20;
      },
      "what was let through to be counted",
      20_000,
    );
  });
});

describe("the ledger of a quota", () => {
  test.each([
    ["of one process over the embedded store", 1, false],
    ["of two workers over Redis", 2, true],
  ])("%s is read and corrected", async (_, workers, hasRedis) => {
    await using redis = hasRedis ? await startRedis() : null;
    await using one = await start(redis, {}, workers);
    expect(await (await one.ledger("nobody")).json()).toMatchObject({ limit: 50, used: 0, leased: 0, remaining: 50 });
    expect(await exhaust(one, "u")).toBe(50);
    const read = await one.ledger("u", { token: VIEWER });
    expect(await read.json()).toMatchObject({ name: "per-user", key: "u", window: "day, UTC", used: 50, remaining: 0 });
    expect(read.headers.get("etag")).toBe('"50"');

    const put = { method: "PUT", body: JSON.stringify({ used: 10 }) };
    expect((await one.ledger("u", { ...put, token: VIEWER })).status).toBe(403);
    expect((await one.ledger("u", put)).status).toBe(428);
    const stale = await one.ledger("u", { ...put, headers: { "if-match": '"49"' } });
    expect([stale.status, stale.headers.get("etag")]).toEqual([412, '"50"']);
    expect((await one.ledger("u", { ...put, headers: { "if-match": '"50"' } })).status).toBe(200);
    await eventually(async () => (await ask(one, "u", 1))[0] === 200, "the correction to be noticed", 8000);
    await exhaust(one, "u");

    const patch = await one.ledger("u", { method: "PATCH", body: JSON.stringify({ add: -20 }) });
    expect(await patch.json()).toMatchObject({ used: 30 });
    expect((await one.ledger("u", { method: "PATCH", body: "{}" })).status).toBe(400);
    expect((await one.ledger("u", { method: "DELETE" })).status).toBe(405);
    expect((await one.ledger("u+v")).status).toBe(400);
    await eventually(() => one.torii.output().includes('"token":"ops"'), "a line of the audit log");
    expect(one.torii.output()).toContain('"before":50,"after":30');
  });

  test("is of quotas only", async () => {
    await using one = await start(null);
    const base = new URL((await one.ledger("u")).url);
    const of = (name: string) =>
      fetch(new URL(`/v1/limits/${name}/keys/u`, base), { headers: bearer(VIEWER) }).then(({ status }) => status);
    expect([await of("fast"), await of("none")]).toEqual([409, 404]);
  });
});
