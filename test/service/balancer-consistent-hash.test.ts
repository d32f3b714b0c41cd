import { describe, expect, test } from "bun:test";
import { Ring } from "../../src/service/balancer-ring.ts";
import { hashText } from "../../src/service/hash.ts";
import { seededRandom } from "../support/chance.ts";
import { balancer, counts, expectShares, type Item, item, items, PICKS } from "./balancer-support.ts";

const CIRCLE = 2 ** 32;

/** The part of the circle that leads to each. */
function arcs(set: readonly Item[]): Readonly<Record<string, number>> {
  const { hashes, owners, size } = new Ring(set);
  const found: Record<string, number> = {};
  for (let at = 0; at < size; at++) {
    const before = at === 0 ? (hashes[size - 1] ?? 0) - CIRCLE : (hashes[at - 1] ?? 0);
    const id = set[owners[at] ?? -1]?.id ?? "-";
    found[id] = (found[id] ?? 0) + ((hashes[at] ?? 0) - before) / CIRCLE;
  }
  return found;
}

function randomKey(seed: number): () => number {
  const random = seededRandom(seed);
  return () => Math.floor(random() * CIRCLE);
}

function placed(set: readonly Item[], keys: readonly number[]): readonly (string | undefined)[] {
  const made = balancer("consistent_hash", set);
  return keys.map((key) => made.pick(key)?.name);
}

const KEYS = Array.from({ length: PICKS }, randomKey(2));

describe("consistent hash", () => {
  test("gives each the keys of its part of the circle", () => {
    const set = items(20);
    expectShares(counts(balancer("consistent_hash", set), PICKS, randomKey(1)), arcs(set));
  });

  test.each([2, 3, 10, 100, 1000])("lets shares among %d equals stray by a tenth, none by half", (count) => {
    const parts = Object.values(arcs(items(count))).map((arc) => arc * count);
    expect(parts).toHaveLength(count);
    expect(Math.sqrt(parts.reduce((sum, part) => sum + (part - 1) ** 2, 0) / count)).toBeLessThan(0.1);
    expect(Math.max(...parts)).toBeLessThan(1.5);
    expect(Math.min(...parts)).toBeGreaterThan(0.5);
  });

  test("gives shares by weight", () => {
    const weights = [1, 2, 4, 8, 100, 0.5];
    const set = weights.map((weight, at) => item(`w${at}`, weight));
    const found = arcs(set);
    for (const { id, weight } of set)
      expect(Math.abs((115.5 * (found[id] ?? 0)) / weight - 1)).toBeLessThan(4 / Math.sqrt(2 * weight + 16));
  });

  test.each([2, 3, 10, 50, 1000])("of %d moves at most 1.5 / n of the keys when one leaves", (count) => {
    const set = items(count);
    const before = placed(set, KEYS);
    for (const at of [0, Math.floor(count / 2), count - 1]) {
      const after = placed(set.toSpliced(at, 1), KEYS);
      const moved = before.filter((name, i) => name !== after[i]);
      expect(moved.length / KEYS.length).toBeLessThanOrEqual(1.5 / count);
      // Those of the one that left, and no others.
      expect(new Set(moved)).toEqual(new Set([`e${at}`]));
      expect(after).not.toContain(`e${at}`);
    }
  });

  test("moves keys to one that joins only, and at most 1.5 / n of them", () => {
    const before = placed(items(9), KEYS);
    const after = placed(items(10), KEYS);
    const moved = after.filter((name, i) => name !== before[i]);
    expect(new Set(moved)).toEqual(new Set(["e9"]));
    expect(moved.length / KEYS.length).toBeLessThanOrEqual(0.15);
  });

  test("places keys by ids alone, whatever the order of the set and the chance", () => {
    const set = items(30);
    const other = balancer("consistent_hash", set.toReversed(), { random: seededRandom(9) });
    expect(KEYS.slice(0, 5000).map((key) => other.pick(key)?.name)).toEqual([...placed(set, KEYS.slice(0, 5000))]);
  });

  test("places keys as every other process and version does", () => {
    expect([hashText(""), hashText("a"), hashText("192.0.2.1")]).toEqual([2_872_998_923, 444_641_715, 1_941_296_713]);
    expect(placed(items(10), ["ana", "ben", "carla", "dan"].map(hashText))).toEqual(["e9", "e0", "e6", "e5"]);
  });

  test("follows a set that is told anew, with other objects or another weight", () => {
    const set = items(3);
    const made = balancer("consistent_hash", set);
    const again = set.map((endpoint) => ({ ...endpoint }));
    made.update(again);
    const picked = made.pick(12_345);
    expect(again.some((endpoint) => endpoint === picked)).toBe(true);
    made.update(set.map((endpoint, at) => ({ ...endpoint, weight: at === 1 ? 1 : 0 })));
    expect(counts(made, 100, randomKey(1))).toEqual({ e1: 100 });
  });

  test("never lets one carry more than a quarter over its part", () => {
    const set = items(10);
    const made = balancer("consistent_hash", set);
    const next = randomKey(4);
    for (let i = 1; i <= 2000; i++) {
      const picked = made.pick(next());
      if (picked !== null) picked.pool.inFlight++;
      const most = Math.max(...set.map(({ pool }) => pool.inFlight));
      expect(most).toBeLessThanOrEqual(Math.max(8, Math.ceil((1.25 * i) / 10)));
    }
  });

  test("bounds what one carries by its weight", () => {
    const set = [item("a", 1), item("b", 3)];
    const made = balancer("consistent_hash", set);
    const key = KEYS.find((each) => made.pick(each)?.name === "a") ?? 0;
    for (let i = 0; i < 400; i++) {
      const picked = made.pick(key);
      if (picked !== null) picked.pool.inFlight++;
    }
    expect(set.map(({ pool }) => pool.inFlight)).toEqual([125, 275]);
  });

  test("keeps the few requests of one key together, and the others of a hot one in few places", () => {
    const set = items(20);
    const made = balancer("consistent_hash", set);
    for (let i = 0; i < 24; i++) {
      const picked = made.pick(777);
      if (picked !== null) picked.pool.inFlight++;
    }
    expect(set.map(({ pool }) => pool.inFlight).filter((load) => load > 0)).toEqual([8, 8, 8]);
  });

  test("goes back to a key's own endpoint when that has room again", () => {
    const set = items(5);
    const made = balancer("consistent_hash", set);
    const own = made.pick(777);
    if (own === null) throw new Error("there is no endpoint");
    own.pool.inFlight = 50;
    const other = made.pick(777);
    expect(other).not.toBe(own);
    expect(made.pick(777)).toBe(other);
    own.pool.inFlight = 3;
    expect(made.pick(777)).toBe(own);
  });

  test("finds one when all are over their bound, as when loads change while they are summed", () => {
    const set = items(1000);
    const made = balancer("consistent_hash", set);
    made.pick(1);
    for (const { pool } of set) pool.inFlight = 8;
    made.pick(1);
    for (const { pool } of set) pool.inFlight = 5000;
    expect(made.pick(1)).not.toBeNull();
  });

  test("draws one by weight for a request without a key", () => {
    const made = balancer("consistent_hash", [item("a", 1), item("b", 9), item("c", 90)]);
    expectShares(counts(made, PICKS), { a: 0.01, b: 0.09, c: 0.9 });
  });

  test("takes every key, the ends of the circle too", () => {
    const made = balancer("consistent_hash", items(3));
    for (const key of [0, 1, CIRCLE - 1]) expect(made.pick(key)).not.toBeNull();
  });
});

test("a set that endpoints leave and come back to is the same as one that was never another", () => {
  const random = seededRandom(7);
  const all = Array.from({ length: 40 }, (_, at) => item(`e${at}`, 1 + (at % 5)));
  const made = balancer("consistent_hash", all);
  for (let round = 0; round < 60; round++) {
    const away = random() < 0.2 ? 0.9 : 0.3;
    const set = all.filter(() => random() >= away).map((one) => (random() < 0.02 ? { ...one, weight: 9 } : one));
    made.update(set);
    const fresh = balancer("consistent_hash", set);
    for (let i = 0; i < 300; i++) {
      const key = Math.floor(random() * 2 ** 32);
      if (set.length > 0) expect(made.pick(key)).toBe(fresh.pick(key));
    }
  }
});

test("a ring of a great many endpoints has no more points than one of a few thousand", () => {
  const members = (count: number) => Array.from({ length: count }, (_, at) => ({ id: `e${at}`, weight: 1 + (at % 7) }));
  expect(new Ring(members(4096)).size).toBeGreaterThan(4096 * 160);
  for (const count of [4097, 8192, 20_000]) {
    const { size } = new Ring(members(count));
    expect(size).toBeLessThanOrEqual(4096 * 320);
    expect(size).toBeGreaterThan(4096 * 80);
  }
});
