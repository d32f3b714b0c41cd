import { expect, test } from "bun:test";
import { createLimits } from "../../src/limit/limits.ts";
import type { QuotaSpec } from "../../src/limit/quota.ts";
import { createMemoryStore } from "../../src/store/memory.ts";

const START_MS = 1_700_000_010_000;
const SPEC: QuotaSpec = {
  name: "q",
  window: { per: "day", timeZone: "UTC" },
  limit: 100_000,
  onStoreError: "deny",
};

test("reading a ledger forgets nothing of what a gateway held that is gone", async () => {
  let nowMs = 0;
  const store = createMemoryStore({ now: () => START_MS + nowMs });
  // Its timers never come: it has crashed.
  const clock = { nowMs: () => nowMs, after: () => () => {} };
  const limits = createLimits({ store, gateway: null, clock, wallMs: () => START_MS + nowMs });
  for (let i = 0; i < 500; i++) await limits.quota(SPEC).take("key");
  const ledger = limits.ledger(SPEC);
  const { used, leased, remaining } = await ledger.read("key");
  expect(leased).toBeGreaterThan(0);
  nowMs += 700_000;
  for (let times = 0; times < 2; times++) {
    expect(await ledger.read("key")).toMatchObject({ used: used + leased, leased: 0, remaining });
  }
  await store.close();
});
