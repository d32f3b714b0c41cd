import { describe, expect, test } from "bun:test";
import { preferZone, type Standing } from "../../src/service/balancer-zone.ts";
import type { BalancerPolicy } from "../../src/service/options.ts";
import { deps, expectShares, type Item, PICKS, POLICIES } from "./balancer-support.ts";

interface Zoned extends Item {
  readonly zone: string | null;
}

function zoned(name: string, zone: string | null, weight = 1): Zoned {
  return { id: name, name, zone, weight, pool: { inFlight: 0 } };
}

/** `near0` … in the gateway's zone, `far0` … in two others and in none. */
function standing(near: number, far: number, out: (name: string) => boolean = () => false): Standing<Zoned> {
  const own = Array.from({ length: near }, (_, at) => zoned(`near${at}`, "eu-1"));
  const zones = ["eu-2", "eu-3", null];
  const others = Array.from({ length: far }, (_, at) => zoned(`far${at}`, zones[at % 3] ?? null));
  const all = [...own, ...others];
  return { all, used: all.filter(({ name }) => !out(name)), isPanic: false };
}

function preferring(policy: BalancerPolicy, set: Standing<Zoned>, given: Parameters<typeof deps>[0] = {}) {
  const made = preferZone<Zoned>("eu-1", policy, deps(given));
  made.update(set);
  return made;
}

type Made = ReturnType<typeof preferring>;

function counts(from: Made, key?: () => number): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let i = 0; i < PICKS; i++) {
    const name = from.pick(key?.())?.name ?? "-";
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
}

/** What a share of the requests comes to for so many endpoints alike. */
function spread(prefix: string, names: number, share: number, from = 0): Record<string, number> {
  return Object.fromEntries(Array.from({ length: names }, (_, at) => [`${prefix}${at + from}`, share / names]));
}

describe.each(POLICIES)("a preferred zone: %s", (policy) => {
  test("takes everything while enough of it is available", () => {
    const made = preferring(
      policy,
      standing(7, 6, (name) => name === "near0" || name === "near1"),
    );
    expect(made.share).toBe(1);
    expectShares(counts(made), spread("near", 5, 1, 2));
  });

  test("spills what is missing over to all others, by 100,000 picks", () => {
    const made = preferring(
      policy,
      standing(10, 6, (name) => /near[0-5]/.test(name)),
    );
    expect(made.share).toBeCloseTo(0.56, 12);
    expectShares(counts(made), { ...spread("near", 4, 0.56, 6), ...spread("far", 6, 0.44) });
  });

  test("leaves everything to others when it is gone, and to them alone that are there", () => {
    const made = preferring(
      policy,
      standing(3, 3, (name) => name.startsWith("near") || name === "far1"),
    );
    expectShares(counts(made), { far0: 0.5, far2: 0.5 });
  });

  test("takes its part when others are short too", () => {
    const made = preferring(
      policy,
      standing(10, 10, (name) => /near[2-9]|far[3-9]/.test(name)),
    );
    expectShares(counts(made), { ...spread("near", 2, 0.4), ...spread("far", 3, 0.6) });
  });

  test("that has no endpoint changes nothing", () => {
    expectShares(counts(preferring(policy, standing(0, 5))), spread("far", 5, 1));
  });

  test("counts for nothing in a panic: all get their weights", () => {
    const set = standing(2, 6);
    const made = preferring(policy, { all: set.all, used: set.all, isPanic: true });
    expectShares(counts(made), { ...spread("near", 2, 0.25), ...spread("far", 6, 0.75) });
  });

  test("counts weights, not endpoints", () => {
    const all = [zoned("big", "eu-1", 6), zoned("small", "eu-1", 4), zoned("x", "eu-2", 1), zoned("y", null, 3)];
    const made = preferring(policy, { all, used: all.slice(1), isPanic: false });
    expectShares(counts(made), { small: 0.56, x: 0.11, y: 0.33 });
  });

  test("of weight 0 takes nothing", () => {
    const all = [zoned("a", "eu-1", 0), zoned("b", "eu-2", 2)];
    expectShares(counts(preferring(policy, { all, used: all, isPanic: false })), { b: 1 });
    expect(preferring(policy, { all: [], used: [], isPanic: false }).pick()).toBeNull();
  });

  test("does not get all at once when its first endpoint has just joined", () => {
    let at = 0;
    const set = standing(1, 4);
    const others = set.all.filter(({ zone }) => zone !== "eu-1");
    const made = preferring(
      policy,
      { all: others, used: others, isPanic: false },
      { slowStartMs: 1000, nowMs: () => at },
    );
    at = 10_000;
    made.update(set);
    expect(made.share).toBeCloseTo(0.14, 12);
    expectShares(counts(made), { near0: 0.14, ...spread("far", 4, 0.86) });
    at += 500;
    expect(made.share).toBeCloseTo(0.7, 12);
    at += 500;
    expect(made.share).toBe(1);
    expectShares(counts(made), { near0: 1 });
  });

  test("gives the objects of the newest set", () => {
    const set = standing(2, 2);
    const made = preferring(policy, set);
    const again = set.all.map((one) => ({ ...one }));
    made.update({ all: again, used: again, isPanic: false });
    const picked = made.pick(7);
    expect(again.some((one) => one === picked)).toBe(true);
  });
});

describe("a preferred zone and keys", () => {
  const KEYS = 20_000;
  const key = (at: number) => Math.imul(at + 1, 0x9e3779b9) >>> 0;

  test("keep together while nothing changes, and few move when the share does", () => {
    const owners = (out: RegExp) => {
      const made = preferring(
        "consistent_hash",
        standing(10, 10, (name) => out.test(name)),
      );
      return Array.from({ length: KEYS }, (_, at) => made.pick(key(at))?.name ?? "-");
    };
    const four = owners(/near[0-3]$/);
    expect(owners(/near[0-3]$/)).toEqual(four);
    const five = owners(/near[0-4]$/);
    const moved = four.filter((name, at) => name !== five[at]);
    // From 0.84 to 0.70 of the keys, and those of the one that left: a sixth of 0.84.
    expect(moved.length / KEYS).toBeLessThan(0.14 + 1.5 * (0.84 / 6));
    const strayed = four.filter((name, at) => name.startsWith("far") && name !== five[at]);
    expect(strayed).toEqual([]);
  });

  test("the share of the keys is that of the requests", () => {
    const made = preferring(
      "consistent_hash",
      standing(10, 10, (name) => /near[0-4]/.test(name)),
    );
    let at = 0;
    const found = counts(made, () => key(at++));
    const near = Object.entries(found).reduce((sum, [name, count]) => sum + (name.startsWith("near") ? count : 0), 0);
    expect(near / PICKS).toBeCloseTo(0.7, 1);
  });
});

test("under peak_ewma each zone learns from its own endpoints", () => {
  // Draws the first, then the second, and so on: every pick has the choice.
  let draws = 0;
  const random = () => (draws++ % 2) / 2;
  const all = [zoned("slow", "eu-1"), zoned("fast", "eu-1")];
  const made = preferZone<Zoned>("eu-1", "peak_ewma", deps({ random }));
  made.update({ all, used: all, isPanic: false });
  for (const one of all) made.observe?.(one, one.name === "slow" ? 500 : 5);
  const found = Array.from({ length: 20 }, () => made.pick()?.name);
  expect(new Set(found)).toEqual(new Set(["fast"]));
});
