import { describe, expect, test } from "bun:test";
import type { MiddlewareHandler } from "hono";
import { runChain } from "../plugins/support.ts";

const pass: MiddlewareHandler = (_, next) => next();

describe("claims of a token", () => {
  const sets =
    (payload: unknown): MiddlewareHandler =>
    (c, next) => {
      c.set("jwtPayload", payload);
      return next();
    };

  test("that a plugin verified are known to the service", async () => {
    const { exchange } = await runChain([sets({ sub: "ann" }), pass]);
    expect(exchange.claims).toEqual({ sub: "ann" });
  });

  test("that are no object, or that nobody verified, are none", async () => {
    const odd = await runChain([sets("ann")]);
    const none = await runChain([pass]);
    expect([odd.exchange.claims, none.exchange.claims]).toEqual([null, null]);
  });
});
