import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { sign } from "hono/jwt";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { startGateway } from "../support.ts";
import { limitedRoutes as routes } from "./rate-limit-support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("a limit of one process", () => {
  const HOUR = { limit: 2, per: "1h" };

  test("refuses with a problem, and says so in log and metrics", async () => {
    await using gateway = await startGateway({ routes: routes(HOUR) });
    expect([(await gateway.exchange(GET)).status, (await gateway.exchange(GET)).status]).toEqual([200, 200]);
    const refused = await gateway.exchange(GET);
    expect(refused.status).toBe(429);
    expect(header(refused, "retry-after")).toBe("1800");
    expect(header(refused, "ratelimit")).toBe('"api";r=0;t=1800');
    expect(header(refused, "content-type")).toBe("application/problem+json");
    const line = await gateway.logged(({ status }) => status === 429);
    expect(line).toMatchObject({
      flags: ["rate_limited"],
      decisions: [{ policy: "rate_limit", outcome: "refused", about: "api" }],
    });
    const text = await gateway.gateway.metrics.render();
    expect(text).toContain('torii_rate_limit_decisions_total{limit="api",outcome="refused",mode="leased"} 1');
    expect(text).toContain('torii_limits_mode{mode="leased"} 1');
    expect(text).toContain('torii_limits_keys{limit="api"} 1');
  });

  test("keeps its counts over a reload, with and without a change of the route", async () => {
    await using gateway = await startGateway({ routes: routes(HOUR) });
    expect((await gateway.exchange(GET)).status).toBe(200);
    await gateway.write("routes/main.yaml", JSON.stringify(routes(HOUR, { ...HOUR, name: "more", by: "ip" })));
    await eventually(() => gateway.gateway.snapshot()?.version === "2", "the reload");
    expect([(await gateway.exchange(GET)).status, (await gateway.exchange(GET)).status]).toEqual([200, 429]);
  });

  test("is refused at load where it clashes, and what ran before goes on", async () => {
    await using gateway = await startGateway({ routes: routes(HOUR) });
    await gateway.write("routes/main.yaml", JSON.stringify(routes(HOUR, { ...HOUR, limit: 5 }), null, 1));
    await eventually(
      () => gateway.log.some(({ msg }) => String(msg).startsWith("configuration refused")),
      "the refusal",
    );
    const fault = gateway.log.find(({ msg }) => String(msg).startsWith("configuration refused"));
    expect(String(fault?.["message"])).toContain("is named api and differs from this: its");
    expect(fault?.["line"]).toBeGreaterThan(1);
    expect((await gateway.exchange(GET)).status).toBe(200);
  });

  test("in shadow lets all pass and reports what it would have refused", async () => {
    await using gateway = await startGateway({ routes: routes({ ...HOUR, shadow: true }) });
    for (let at = 0; at < 4; at++) expect((await gateway.exchange(GET)).status).toBe(200);
    const line = await gateway.logged(({ decisions }) => Bun.deepEquals(decisions, []) === false);
    expect(line["decisions"]).toEqual([{ policy: "rate_limit", outcome: "shadow_refused", about: "api" }]);
    const text = await gateway.gateway.metrics.render();
    expect(text).toContain('torii_rate_limit_decisions_total{limit="api",outcome="shadow_refused",mode="leased"} 2');
  });

  test("counts bytes that were sent, and by functions of a TypeScript route", async () => {
    const module = `import { defineRoutes } from "torii";
export default defineRoutes({ routes: [{ name: "bytes", plugins: [
  { use: "rate-limit", with: { limit: 5000, per: "1h", by: (c) => c.req.header("x-user"), cost: { bytes: "response" } } },
  { use: (c) => c.text("x".repeat(4000)) },
] }] });`;
    await using gateway = await startGateway({ routes: {}, files: { "routes/bytes.ts": module } });
    const by = (user: string) => `GET / HTTP/1.1\r\nHost: a\r\nx-user: ${user}\r\n\r\n`;
    const found: number[] = [];
    for (let at = 0; at < 3; at++) found.push((await gateway.exchange(by("ann"))).status);
    expect(found).toEqual([200, 200, 429]);
    expect((await gateway.exchange(by("bob"))).status).toBe(200);
  });

  test("counts by who a token was issued for, once that is verified", async () => {
    const secret = "a-secret-of-thirty-two-characters";
    const plugins = [
      { use: "hono/jwt", with: { secret, alg: "HS256" } },
      {
        use: "rate-limit",
        with: { limit: 1, per: "1h", by: "jwt.sub", tiers: { by: "jwt.plan", gold: { limit: 2 } } },
      },
      { use: "respond", with: { status: 204 } },
    ];
    await using gateway = await startGateway({ routes: { routes: [{ name: "api", plugins }] } });
    const ask = async (claims: Readonly<Record<string, string>>, key = secret) => {
      const token = await sign(claims, key, "HS256");
      const request = `GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`;
      return (await gateway.exchange(request)).status;
    };
    expect([await ask({ sub: "ann" }), await ask({ sub: "ann" }), await ask({ sub: "bob" })]).toEqual([204, 429, 204]);
    const gold = { sub: "carl", plan: "gold" };
    expect([await ask(gold), await ask(gold), await ask(gold)]).toEqual([204, 204, 429]);
    expect(await ask({ sub: "ann" }, "another-secret-of-thirty-two-chars")).toBe(401);
  });

  test("counts by the address that trusted proxies tell, IPv6 by its network", async () => {
    await using gateway = await startGateway({
      torii: { trustedProxies: ["127.0.0.1"] },
      routes: routes({ limit: 1, per: "1h", by: "ip" }),
    });
    const ask = async (address: string) =>
      (await gateway.exchange(`GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}\r\n\r\n`)).status;
    expect([await ask("192.0.2.1"), await ask("192.0.2.2"), await ask("::ffff:192.0.2.1")]).toEqual([200, 200, 429]);
    expect([await ask("2001:db8::1"), await ask("2001:db8::ffff:2"), await ask("2001:db8:0:1::1")]).toEqual([
      200, 429, 200,
    ]);
  });

  test("is there for plugins of one's own", async () => {
    const plugin = `import { definePlugin, z } from "torii";
export default definePlugin({
  name: "once",
  options: z.strictObject({}),
  create: (_options, { limits, route }) => {
    const spec = { name: route + "/once", algorithm: "token_bucket", limit: 1, perMs: 3600000, burst: 1, onStoreError: "local" };
    const limiter = limits.limiter(spec, "users");
    return async (c, next) => {
      const { isAdmitted } = await limiter.take(c.req.header("x-user") ?? "");
      if (!isAdmitted) return c.text("no", 429);
      await next();
    };
  },
});`;
    const own = { routes: [{ name: "mine", plugins: [{ use: "once" }, { use: "respond", with: { status: 204 } }] }] };
    await using gateway = await startGateway({
      torii: { plugins: "mine" },
      routes: own,
      files: { "mine/once.ts": plugin },
    });
    expect([(await gateway.exchange(GET)).status, (await gateway.exchange(GET)).status]).toEqual([204, 429]);
  });
});
