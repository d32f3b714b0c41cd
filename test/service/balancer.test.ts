import { describe, expect, test } from "bun:test";
import { createBalancer } from "../../src/service/balancer-policies.ts";
import { balancer, counts, deps, expectShares, type Item, item, names, PICKS, POLICIES } from "./balancer-support.ts";

describe.each(POLICIES)("every balancer: %s", (policy) => {
  test("gives null before it has a set, and for an empty one", () => {
    const made = createBalancer<Item>(policy, deps());
    expect(made.pick()).toBeNull();
    made.update([]);
    expect(made.pick()).toBeNull();
  });

  test("gives the only one, always", () => {
    expect(counts(balancer(policy, [item("a", 7, 50)]), 100)).toEqual({ a: 100 });
  });

  test("never gives one of weight 0, whatever the others' load", () => {
    const items = [item("a", 0), item("b", 1, 1000), item("c", 0), item("d", 2, 1000)];
    expect(Object.keys(counts(balancer(policy, items), 1000)).sort()).toEqual(["b", "d"]);
    expect(balancer(policy, [item("a", 0), item("b", 0)]).pick()).toBeNull();
    expect(counts(balancer(policy, [item("a", 0), item("b", 1)]), 100)).toEqual({ b: 100 });
  });

  test("gives only members of the newest set", () => {
    const made = balancer(policy, [item("a"), item("b"), item("c")]);
    names(made, 10);
    made.update([item("c"), item("d")]);
    expect(Object.keys(counts(made, 1000)).sort()).toEqual(["c", "d"]);
    made.update([]);
    expect(made.pick()).toBeNull();
  });

  test("gives the very object that it was given", () => {
    const only = item("a");
    expect(balancer(policy, [only]).pick()).toBe(only);
  });

  test("shares by weight while nobody is loaded", () => {
    const made = balancer(policy, [item("a", 1), item("b", 0.5), item("c", 2.5), item("d", 6)]);
    expectShares(counts(made, PICKS), { a: 0.1, b: 0.05, c: 0.25, d: 0.6 });
  });

  test("shares evenly among equals", () => {
    const items = [..."abcdefghij"].map((name) => item(name));
    expectShares(counts(balancer(policy, items), PICKS), Object.fromEntries(items.map(({ name }) => [name, 0.1])));
  });
});

describe("round robin", () => {
  test("takes turns in the order of the set", () => {
    expect(names(balancer("round_robin", [item("a"), item("b"), item("c")]), 8)).toBe("abcabcab");
  });

  test("takes turns alike when all weights are equal, whatever they are", () => {
    expect(names(balancer("round_robin", [item("a", 100), item("b", 100)]), 5)).toBe("ababa");
    expect(names(balancer("round_robin", [item("a", 0.5), item("b", 0.5)]), 5)).toBe("ababa");
  });

  test.each([
    ["5:1:1, as nginx documents it", [5, 1, 1], "aabacaa"],
    ["2:1", [2, 1], "aba"],
    ["4:2, which is 2:1", [4, 2], "aba"],
    ["3:2", [3, 2], "ababa"],
    ["1:3", [1, 3], "babb"],
    ["0.5:1.5, which is 1:3", [0.5, 1.5], "babb"],
    ["with a 0 among them", [2, 0, 1], "aca"],
  ] as const)("is smooth for weights %s", (_, weights, order) => {
    const items = weights.map((weight, at) => item("abc"[at] ?? "?", weight));
    expect(names(balancer("round_robin", items), 2 * order.length)).toBe(order + order);
  });

  test("gives each its exact share in every round", () => {
    const weights = [7, 3, 11, 1, 5];
    const items = weights.map((weight, at) => item("abcde"[at] ?? "?", weight));
    const made = balancer("round_robin", items);
    for (let round = 0; round < 20; round++) expect(counts(made, 27)).toEqual({ a: 7, b: 3, c: 11, d: 1, e: 5 });
  });

  test("never lets one run further ahead of its share than one request", () => {
    const items = [item("a", 7), item("b", 3), item("c", 11)];
    const made = balancer("round_robin", items);
    const taken = new Map<string, number>();
    for (let i = 1; i <= 210; i++) {
      const name = made.pick()?.name ?? "";
      taken.set(name, (taken.get(name) ?? 0) + 1);
      for (const { name: each, weight } of items)
        expect(Math.abs((taken.get(each) ?? 0) - (i * weight) / 21)).toBeLessThan(1.5);
    }
  });

  test("keeps shares of weights so odd that their round has to be shortened, within a part in a hundred", () => {
    const found = counts(balancer("round_robin", [item("a", 9973), item("b", 4999), item("c", 1)]), PICKS);
    expect(Math.abs((found["a"] ?? 0) / PICKS - 9973 / 14_973)).toBeLessThan(0.01);
    expect(Math.abs((found["b"] ?? 0) / PICKS - 4999 / 14_973)).toBeLessThan(0.01);
    expect(found["c"]).toBeGreaterThan(0);
  });

  test("goes on where it was with another set: changes favour nobody", () => {
    const items = [item("a"), item("b"), item("c"), item("d")];
    const made = balancer("round_robin", items);
    names(made, 2);
    made.update(items.map((one) => ({ ...one })));
    expect(names(made, 3)).toBe("cda");
    made.update(items.slice(0, 3));
    expect(names(made, 3)).toBe("bca");
    made.update(items.slice(0, 1));
    expect(names(made, 2)).toBe("aa");
    made.update([]);
    made.update(items);
    expect(names(made, 8)).toBe("bcdabcda");
    const found: Record<string, number> = {};
    for (let i = 0; i < 400; i++) {
      made.update(i % 2 === 0 ? items : items.slice(0, 3));
      const name = made.pick()?.name ?? "-";
      found[name] = (found[name] ?? 0) + 1;
    }
    expect(Math.max(...Object.values(found))).toBeLessThan(200);
  });

  test("takes no notice of load", () => {
    expect(names(balancer("round_robin", [item("a", 1, 1000), item("b")]), 4)).toBe("abab");
  });

  test("gives every one of 5,000 endpoints its turn", () => {
    const items = Array.from({ length: 5000 }, (_, at) => item(`e${at}`));
    expect(Object.values(counts(balancer("round_robin", items), 10_000))).toEqual(new Array(5000).fill(2));
  });
});

describe("least request", () => {
  test("of two always prefers the less loaded, but where it draws the other twice", () => {
    const found = counts(balancer("least_request", [item("a", 1, 10), item("b", 1, 3)]), PICKS);
    expectShares(found, { a: 0.25, b: 0.75 });
  });

  test("of several gives each the share of two choices", () => {
    // The k-th best of n is picked when the better of two draws has rank k: ((n-k+1)² - (n-k)²) / n².
    const items = [0, 1, 2, 3, 4].map((load) => item("abcde"[load] ?? "?", 1, load));
    const found = counts(balancer("least_request", items), PICKS);
    expectShares(found, { a: 9 / 25, b: 7 / 25, c: 5 / 25, d: 3 / 25, e: 1 / 25 });
  });

  test("counts load for its weight: three times the weight carries three times the load", () => {
    // 9 / 3 = 3 / 1: equal, so each pair of draws keeps its first.
    const equal = [item("a", 3, 9), item("b", 1, 3)];
    expectShares(counts(balancer("least_request", equal), PICKS), { a: 0.75, b: 0.25 });
    // `a` is lighter: `b` is taken only when it is drawn twice.
    const lighter = [item("a", 3, 8), item("b", 1, 3)];
    expectShares(counts(balancer("least_request", lighter), PICKS), { a: 15 / 16, b: 1 / 16 });
  });

  test("gives idle endpoints their shares by weight", () => {
    const idle = [item("a", 1), item("b", 9), item("c", 90)];
    expectShares(counts(balancer("least_request", idle), PICKS), { a: 0.01, b: 0.09, c: 0.9 });
  });

  test("sees load that changes after the set was given", () => {
    const [a, b] = [item("a"), item("b")];
    const made = balancer("least_request", [a, b]);
    a.pool.inFlight = 5;
    const first = counts(made, 1000);
    a.pool.inFlight = 0;
    b.pool.inFlight = 5;
    const second = counts(made, 1000);
    expect(first["b"]).toBeGreaterThan(650);
    expect(second["a"]).toBeGreaterThan(650);
  });

  test("spreads requests that stay in flight far more evenly than chance", () => {
    const items = Array.from({ length: 20 }, (_, at) => item(`e${at}`));
    const made = balancer("least_request", items);
    for (let i = 0; i < 2000; i++) {
      const picked = made.pick();
      if (picked !== null) picked.pool.inFlight++;
    }
    const loads = items.map(({ pool }) => pool.inFlight);
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThan(12);
  });

  test("holds requests in flight in proportion to the weights", () => {
    const items = [item("a", 1), item("b", 2), item("c", 4)];
    const made = balancer("least_request", items);
    for (let i = 0; i < 7000; i++) {
      const picked = made.pick();
      if (picked !== null) picked.pool.inFlight++;
    }
    for (const { weight, pool } of items)
      expect(Math.abs(pool.inFlight - 1000 * weight)).toBeLessThan(0.15 * 1000 * weight);
  });
});
