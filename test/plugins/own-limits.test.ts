import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { createMemoryLimits, definePlugin, z } from "../../src/torii.ts";

const DAY_MS = 86_400_000;

/** The plugin of docs/limits.md. */
const once = definePlugin({
  name: "once-a-day",
  options: z.strictObject({}),
  create: (_, { limits, route }) => {
    const limiter = limits.limiter(
      { name: `${route}/once`, algorithm: "token_bucket", limit: 1, perMs: DAY_MS, burst: 1, onStoreError: "local" },
      "x-user",
    );
    return async (c, next) => {
      const { isAdmitted } = await limiter.take(c.req.header("x-user") ?? "");
      if (!isAdmitted) return c.text("once a day", 429);
      await next();
      return undefined;
    };
  },
});

describe("a plugin of one's own", () => {
  test("is tested with limits in memory, as any middleware is", async () => {
    const limits = createMemoryLimits();
    const app = new Hono();
    app.use(once.provision({}, { route: "test", limits, isShadow: false }));
    app.get("/", (c) => c.text("hello"));
    const ask = (user: string) => app.request("/", { headers: { "x-user": user } });
    expect([(await ask("ann")).status, (await ask("ann")).status, (await ask("bob")).status]).toEqual([200, 429, 200]);
    await limits.close();
  });
});
