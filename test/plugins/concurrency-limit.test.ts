import { afterAll, describe, expect, test } from "bun:test";
import type { MiddlewareHandler } from "hono";
import concurrencyLimit from "../../plugins/concurrency-limit.ts";
import { createMemoryLimits } from "../../src/limit/plugin-limits.ts";
import type { Exchange } from "../../src/wire/exchange.ts";
import { depsFor, runChain } from "./support.ts";

const counted: string[] = [];
const limits = createMemoryLimits((limit, outcome, mode) => counted.push(`${limit} ${outcome} ${mode}`));
afterAll(() => limits.close());

let names = 0;

function limited(options: Readonly<Record<string, unknown>> = {}, isShadow = false): MiddlewareHandler {
  const given = { limit: 2, by: "ip", ...options };
  return concurrencyLimit.provision(given, { ...depsFor(`c${names++}`, limits), isShadow });
}

/** Requests that stay until they are let go. */
function holding() {
  const gate = Promise.withResolvers<void>();
  const hold: MiddlewareHandler = async (_, next) => {
    await gate.promise;
    await next();
  };
  return { hold, letGo: gate.resolve };
}

describe("a limit of what is in flight", () => {
  test("refuses beyond it, and lets in again when others have ended", async () => {
    const limit = limited({ name: "two" });
    const { hold, letGo } = holding();
    const open = [runChain([limit, hold]), runChain([limit, hold])];
    const refused = await runChain([limit]);
    expect([refused.answer.status, refused.answer.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(refused.answer.headers.get("ratelimit-policy")).toBe('"two";q=2;qu="concurrent-requests"');
    expect(refused.answer.headers.get("ratelimit")).toBe('"two";r=0');
    expect(refused.exchange.decisions).toEqual([{ policy: "concurrency_limit", outcome: "refused", about: "two" }]);
    letGo();
    for (const run of open) expect((await run).answer.status).toBe(200);
  });

  test("counts keys apart, refuses nobody in shadow, and exempts who is listed", async () => {
    const { hold, letGo } = holding();
    const limit = limited({ limit: 1, allow: ["192.0.2.9"] });
    const open = [runChain([limit, hold], { address: "192.0.2.1" })];
    expect((await runChain([limit], { address: "192.0.2.2" })).answer.status).toBe(200);
    expect((await runChain([limit], { address: "192.0.2.1" })).answer.status).toBe(429);
    expect((await runChain([limit], { address: "192.0.2.9" })).answer.status).toBe(200);
    const shadow = limited({ name: "shadow", limit: 1 }, true);
    open.push(runChain([shadow, hold]));
    const let_ = await runChain([shadow]);
    expect([let_.answer.status, let_.answer.headers.has("ratelimit")]).toEqual([200, false]);
    expect(counted).toContain("shadow shadow_refused leased");
    letGo();
    await Promise.all(open);
  });

  test("keeps no slot for a client that left while plugins before it waited, whatever others throw at the end", async () => {
    const limit = limited({ name: "left", limit: 1 });
    let ends = 0;
    const leave: MiddlewareHandler = async (context, next) => {
      context.env.whenDone(() => {
        ends++;
        throw new Error("a plugin's own");
      });
      context.env.whenDone(() => void ends++);
      left?.();
      await next();
    };
    let left: (() => void) | null = null;
    const prepare = (exchange: Exchange): void => {
      left = () => expect(() => exchange.ended()).toThrow("a plugin's own");
    };
    for (let turn = 1; turn <= 3; turn++) {
      expect((await runChain([leave, limit], { prepare })).answer.status).toBe(200);
      expect(ends).toBe(2 * turn);
    }
  });
});
