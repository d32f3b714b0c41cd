import { describe, expect, test } from "bun:test";
import { balancer, counts, expectShares, type Item, item, items, PICKS } from "./balancer-support.ts";

const DECAY_MS = 10_000;

/** A balancer of endpoints that answered once, each in so many milliseconds, on a clock that is moved. */
function open(set: readonly (readonly [Item, number])[]) {
  const state = { atMs: 1_000_000 };
  const made = balancer(
    "peak_ewma",
    set.map(([endpoint]) => endpoint),
    { nowMs: () => state.atMs },
  );
  for (const [endpoint, ms] of set) made.observe?.(endpoint, ms);
  const pass = (ms: number) => {
    state.atMs += ms;
  };
  return { made, pass };
}

/** Of two: "a" or "b", whichever is preferred (picked unless the other is drawn twice), or "-" when neither is. */
function preferred(made: ReturnType<typeof open>["made"]): string {
  const { a = 0, b = 0 } = counts(made, 2000);
  if (Math.abs(a - 1500) < 100) return "a";
  return Math.abs(b - 1500) < 100 ? "b" : "-";
}

describe("peak ewma", () => {
  test("of several gives each the share of two choices, the faster ones first", () => {
    const { made } = open([50, 10, 30, 20, 40].map((ms) => [item(`t${ms}`), ms]));
    expectShares(counts(made, PICKS), { t10: 9 / 25, t20: 7 / 25, t30: 5 / 25, t40: 3 / 25, t50: 1 / 25 });
  });

  test("weighs response time against requests in flight", () => {
    const [a, b] = [item("a"), item("b")];
    const { made } = open([
      [a, 10],
      [b, 35],
    ]);
    a.pool.inFlight = 2;
    expect(preferred(made)).toBe("a");
    a.pool.inFlight = 3;
    expect(preferred(made)).toBe("b");
  });

  test("weighs it against the weights: three times the weight makes up for three times the time", () => {
    const { made } = open([
      [item("a", 3), 29],
      [item("b", 1), 10],
    ]);
    // `b` is taken only when it is drawn twice.
    expectShares(counts(made, PICKS), { a: 15 / 16, b: 1 / 16 });
  });

  test("holds requests in flight in inverse proportion to the response times", () => {
    const set = [10, 20, 40].map((ms) => [item(`t${ms}`), ms] as const);
    const { made } = open(set);
    for (let i = 0; i < 7000; i++) {
      const picked = made.pick();
      if (picked !== null) picked.pool.inFlight++;
    }
    for (const [{ pool }, ms] of set) expect(Math.abs(pool.inFlight * ms - 40_000)).toBeLessThan(0.15 * 40_000);
  });

  test("believes a slower response at once, and a faster one slowly", () => {
    const [a, b] = [item("a"), item("b")];
    const { made, pass } = open([
      [a, 10],
      [b, 20],
    ]);
    made.observe?.(a, 500);
    expect(preferred(made)).toBe("b");
    made.observe?.(a, 10);
    made.observe?.(a, 10);
    expect(preferred(made)).toBe("b");
    // With answers of 10 ms all along, 500 has decayed to less than 20 after 4 periods: 10 + 490 / e^4 = 19.
    for (let i = 0; i < 40; i++) {
      pass(DECAY_MS / 10);
      made.observe?.(a, 10);
      made.observe?.(b, 20);
    }
    expect(preferred(made)).toBe("a");
  });

  test("tries a slow endpoint again when it was not heard of for long", () => {
    const [a, b] = [item("a"), item("b")];
    const { made, pass } = open([
      [a, 10],
      [b, 100],
    ]);
    const goOn = (ms: number) => {
      for (let i = 0; i < ms / 1000; i++, pass(1000)) made.observe?.(a, 10);
    };
    goOn(20_000);
    expect(preferred(made)).toBe("a");
    // 100 / e^2.4 < 10.
    goOn(5000);
    expect(preferred(made)).toBe("b");
  });

  test("tries one that it knows nothing of with one request, not with all", () => {
    const known = items(9);
    const fresh = item("z");
    const { made } = open(known.map((endpoint) => [endpoint, 10]));
    made.update([...known, fresh]);
    for (let i = 0; i < 400; i++) {
      const picked = made.pick();
      if (picked !== null) picked.pool.inFlight++;
    }
    expect(fresh.pool.inFlight).toBeGreaterThanOrEqual(1);
    expect(fresh.pool.inFlight).toBeLessThanOrEqual(9);
  });

  test("remembers response times through another set, and takes none of an endpoint that left", () => {
    const [a, b] = [item("a"), item("b")];
    const { made } = open([
      [a, 10],
      [b, 500],
    ]);
    made.update([{ ...a, weight: 2 }, { ...b, weight: 2 }, item("c", 0)]);
    expect(preferred(made)).toBe("a");
    made.update([b]);
    made.observe?.(a, 9999);
    made.update([a, b]);
    // Forgotten: an idle endpoint of which nothing is known comes first.
    expect(preferred(made)).toBe("a");
    made.observe?.(a, 1);
    expect(preferred(made)).toBe("a");
  });

  test("sends a closed loop of clients where it is answered soonest, but for what is drawn to the other twice", () => {
    // 30 clients, each with one request at a time; `fast` answers in 10 ms, `slow` in 40.
    const [fast, slow] = [item("fast"), item("slow")];
    const { made, pass } = open([
      [fast, 10],
      [slow, 40],
    ]);
    const under: { readonly to: Item; leftMs: number }[] = [];
    const served = new Map<Item, number>();
    for (let ms = 0; ms < 5000; ms++, pass(1)) {
      for (const request of under) request.leftMs--;
      for (const { to } of under.filter(({ leftMs }) => leftMs === 0)) {
        to.pool.inFlight--;
        served.set(to, (served.get(to) ?? 0) + 1);
        made.observe?.(to, to === fast ? 10 : 40);
      }
      under.splice(0, under.length, ...under.filter(({ leftMs }) => leftMs > 0));
      while (under.length < 30) {
        const to = made.pick();
        if (to === null) break;
        to.pool.inFlight++;
        under.push({ to, leftMs: to === fast ? 10 : 40 });
      }
    }
    const ratio = (served.get(fast) ?? 0) / (served.get(slow) ?? 1);
    expect(ratio).toBeGreaterThan(2.7);
    expect(ratio).toBeLessThan(3.3);
  });
});
