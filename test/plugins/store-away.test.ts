import { describe, expect, test } from "bun:test";
import concurrencyLimit from "../../plugins/concurrency-limit.ts";
import quota from "../../plugins/quota.ts";
import rateLimit from "../../plugins/rate-limit.ts";
import { createMemoryLimits } from "../../src/limit/plugin-limits.ts";
import { depsFor, runChain } from "./support.ts";

const rows = [
  ["rate_limit", rateLimit, { per: "1h", headers: "both" }],
  ["quota", quota, { per: "month", headers: "both" }],
  ["concurrency_limit", concurrencyLimit, {}],
] as const;

describe.each(rows)("while the store is away, %s", (policy, plugin, rest) => {
  const given = { name: "m", limit: 3, by: "ip", onStoreError: "deny", ...rest };

  async function ask(isShadow: boolean) {
    const counted: string[] = [];
    const limits = createMemoryLimits((_, outcome, mode) => counted.push(`${outcome} ${mode}`));
    // What is asked after the end is decided as if the store were away.
    await limits.close();
    const run = await runChain([plugin.provision(given, { ...depsFor("r", limits), isShadow })]);
    return { ...run, counted };
  }

  test("with deny says that the limit cannot be checked, and tells no numbers of it", async () => {
    const { answer, exchange, counted } = await ask(false);
    expect(answer.status).toBe(429);
    expect(JSON.parse(answer.text)).toEqual({
      type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
      title: "Too many requests",
      status: 429,
      detail: "The limit m cannot be checked: what counts it does not answer.",
      instance: "urn:torii:request:req-1",
      retryAfter: 1,
      code: "rate_limited",
    });
    expect([...answer.headers.keys()].filter((name) => name.includes("ratelimit"))).toEqual([]);
    expect(exchange.decisions).toEqual([{ policy, outcome: "store_away", about: "m" }]);
    expect(counted).toEqual(["store_away denied"]);
  });

  test("in shadow lets pass, and says that it would not have known", async () => {
    const { answer, exchange, counted } = await ask(true);
    expect(answer.status).toBe(200);
    expect(exchange.decisions).toEqual([{ policy, outcome: "shadow_store_away", about: "m" }]);
    expect(counted).toEqual(["shadow_store_away denied"]);
  });
});
