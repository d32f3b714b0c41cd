import { describe, expect, test } from "bun:test";
import { type Seen, underChain, underHono } from "./contract.ts";
import { FLOW_CASES } from "./contract-flow.ts";
import { REQUEST_CASES } from "./contract-request.ts";
import { RESPONSE_CASES } from "./contract-response.ts";

describe("a plugin sees under the gateway's chain what it sees under Hono", () => {
  for (const one of [...REQUEST_CASES, ...RESPONSE_CASES, ...FLOW_CASES]) {
    test(one.name, async () => {
      const [hono, chain] = [await underHono(one), await underChain(one)];
      const fields = one.compare ?? (["status", "headers", "cookies", "body", "received"] as const);
      const pick = (seen: Seen) => Object.fromEntries(fields.map((field) => [field, seen[field]]));
      expect(pick(chain)).toEqual(pick(hono));
      expect(chain).toMatchObject(one.expect);
    });
  }
});
