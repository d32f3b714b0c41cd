import { describe, expect, test } from "bun:test";
import { limitsDocument } from "../../src/admin/limits-merge.ts";
import { type LimitsView, limitsView } from "../../src/admin/limits-schema.ts";

function view(over: Partial<LimitsView>, counts = 1): LimitsView {
  const numbers = { algorithm: "token_bucket" as const, limit: 10, perMs: 1000, burst: 10 };
  return {
    kind: "redis",
    mode: "leased",
    gateways: 2,
    vanished: 0,
    share: 0.5,
    storeCalls: 3,
    quotas: [{ name: "q", window: "day UTC", limit: 5, keys: counts, leased: 1, admitted: 2, refused: 0 }],
    concurrency: [{ name: "c", limit: 5, keys: counts, inFlight: 1, held: 2, admitted: 2, refused: 0 }],
    limits: [{ name: "api", ...numbers, keys: counts, leased: counts, admitted: counts, refused: counts }],
    ...over,
  };
}

describe("limits of several workers", () => {
  test("are one document: sums of counts and shares, the worst of modes, the most of what all know", () => {
    const document = limitsDocument([
      { worker: 1, limits: view({}) },
      { worker: 2, limits: view({ mode: "local", gateways: 3, vanished: 1, share: 0.25 }, 5) },
    ]);
    expect(limitsView.parse(document)).toEqual(document);
    expect(document.state).toMatchObject({ mode: "local", gateways: 3, vanished: 1, share: 0.75, storeCalls: 6 });
    expect(document.state?.limits).toEqual([
      {
        name: "api",
        algorithm: "token_bucket",
        limit: 10,
        perMs: 1000,
        burst: 10,
        keys: 6,
        leased: 6,
        admitted: 6,
        refused: 6,
      },
    ]);
    expect(document.state?.quotas).toEqual([
      { name: "q", window: "day UTC", limit: 5, keys: 6, leased: 2, admitted: 4, refused: 0 },
    ]);
    expect(document.state?.concurrency).toEqual([
      { name: "c", limit: 5, keys: 6, inFlight: 2, held: 4, admitted: 4, refused: 0 },
    ]);
    expect(document.workers.map(({ worker, mode }) => [worker, mode])).toEqual([
      [1, "leased"],
      [2, "local"],
    ]);
  });

  test("tell who has none and who did not answer", () => {
    const document = limitsDocument([
      { worker: 1, limits: null },
      { worker: 2, limits: "silent" },
    ]);
    expect(document).toEqual({ state: null, workers: [], answered: [1], missing: [2] });
  });

  test("with other numbers of one name stand apart, as after a reload", () => {
    const [limit] = view({}).limits;
    if (limit === undefined) throw new Error("no limit");
    const document = limitsDocument([{ worker: 1, limits: view({ limits: [limit, { ...limit, burst: 20 }] }) }]);
    expect(document.state?.limits.map(({ burst }) => burst)).toEqual([10, 20]);
  });
});
