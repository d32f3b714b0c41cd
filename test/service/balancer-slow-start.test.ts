import { describe, expect, test } from "bun:test";
import { seededRandom } from "../support/chance.ts";
import { balancer, counts, expectShares, item, items, names, PICKS, POLICIES } from "./balancer-support.ts";

const SLOW_START_MS = 30_000;

/** A clock that is moved by hand. */
function clock() {
  const state = { atMs: 1_000_000 };
  const pass = (ms: number) => {
    state.atMs += ms;
  };
  return { nowMs: () => state.atMs, pass };
}

function open(policy: (typeof POLICIES)[number], set: ReturnType<typeof items>) {
  const { nowMs, pass } = clock();
  return { made: balancer(policy, set, { nowMs, slowStartMs: SLOW_START_MS }), pass };
}

/** The shares of nine that are long there and of `z`, which takes this part of its weight. */
function sharesWith(part: number): Readonly<Record<string, number>> {
  const old = items(9).map(({ name }) => [name, 1 / (9 + part)] as const);
  return { ...Object.fromEntries(old), z: part / (9 + part) };
}

describe.each(POLICIES)("slow start: %s", (policy) => {
  test("gives one that joins a tenth of its share at first, then more as time passes, and all of it in the end", () => {
    const nine = items(9);
    const { made, pass } = open(policy, nine);
    pass(60_000);
    made.update([...nine, item("z")]);
    expectShares(counts(made, PICKS), sharesWith(0.1));
    pass(15_000);
    expectShares(counts(made, PICKS), sharesWith(0.5));
    pass(9000);
    expectShares(counts(made, PICKS), sharesWith(0.8));
    pass(6000);
    expectShares(counts(made, PICKS), sharesWith(1));
  });

  test("gives those that came all at once everything at once", () => {
    const nine = items(9);
    const { made } = open(policy, []);
    made.update(nine);
    expectShares(counts(made, PICKS), Object.fromEntries(nine.map(({ name }) => [name, 1 / 9])));
  });

  test("measures two that joined against the one that joined first", () => {
    const [a, b] = [item("a"), item("b")];
    const { made, pass } = open(policy, [a]);
    pass(6000);
    made.update([a, b]);
    pass(6000);
    // 12 s and 6 s of 30: `b` takes half of what `a` does.
    expectShares(counts(made, PICKS), { a: 2 / 3, b: 1 / 3 });
  });

  test("rises to the weight that one has, and goes on rising when that is changed", () => {
    const [a, b] = [item("a", 2), item("b", 4)];
    const { made, pass } = open(policy, [a]);
    pass(60_000);
    made.update([a, b]);
    pass(15_000);
    expectShares(counts(made, PICKS), { a: 0.5, b: 0.5 });
    made.update([a, { ...b, weight: 12 }]);
    expectShares(counts(made, PICKS), { a: 0.25, b: 0.75 });
  });

  test("begins anew for one that left and came back on other connections", () => {
    const nine = items(9);
    const { made, pass } = open(policy, [...nine, item("z")]);
    pass(60_000);
    made.update(nine);
    made.update([...nine, item("z")]);
    expectShares(counts(made, PICKS), sharesWith(0.1));
  });

  test("takes the only ones whole when all the others left", () => {
    const [a, b] = [item("a"), item("b")];
    const { made, pass } = open(policy, [a]);
    pass(60_000);
    made.update([a, b]);
    made.update([b]);
    expect(counts(made, 100)).toEqual({ b: 100 });
    made.update([{ ...a, weight: 0 }, b]);
    expect(counts(made, 100)).toEqual({ b: 100 });
  });
});

describe("slow start", () => {
  test("of round_robin lets a tenth have every tenth of its turns", () => {
    const a = item("a");
    const { made, pass } = open("round_robin", [a]);
    pass(60_000);
    made.update([a, item("b")]);
    const turns = names(made, 1100);
    expect(turns).not.toContain("bb");
    expect(Math.abs(turns.replaceAll("a", "").length - 100)).toBeLessThanOrEqual(1);
  });

  test.each(["least_request", "peak_ewma"] as const)("of %s holds requests in flight by shares", (policy) => {
    const nine = items(9);
    const z = item("z");
    const { made, pass } = open(policy, nine);
    pass(60_000);
    made.update([...nine, z]);
    for (const each of [...nine, z]) made.observe?.(each, 10);
    pass(6000);
    for (let i = 0; i < 9200; i++) {
      const picked = made.pick();
      if (picked !== null) picked.pool.inFlight++;
    }
    // 6 s of 30: a fifth of what the others carry, 1000 each.
    expect(Math.abs(z.pool.inFlight - 200)).toBeLessThan(40);
  });

  test("of consistent_hash moves each key once, from an endpoint that was there to the one that joined", () => {
    const nine = items(9);
    const { made, pass } = open("consistent_hash", nine);
    pass(60_000);
    const random = seededRandom(3);
    const keys = Array.from({ length: 20_000 }, () => Math.floor(random() * 2 ** 32));
    const before = keys.map((key) => made.pick(key)?.name);
    made.update([...nine, item("z")]);
    let moved = 0;
    for (let i = 0; i <= 10; i++, pass(3000)) {
      const present = keys.map((key) => made.pick(key)?.name);
      expect(present.every((name, at) => name === "z" || name === before[at])).toBe(true);
      const there = present.filter((name) => name === "z").length;
      expect(there).toBeGreaterThanOrEqual(moved);
      // A share of a ring strays by a twelfth or so, a small one by more.
      expect(Math.abs(there / keys.length - Math.max(0.1, i / 10) / 10)).toBeLessThan(0.02);
      moved = there;
    }
    expect(moved).toBeGreaterThan(1000);
  });
});
