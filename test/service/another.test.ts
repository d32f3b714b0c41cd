import { expect, test } from "bun:test";
import { createAnother } from "../../src/service/another.ts";

const endpoint = (id: string, weight = 1) => ({ id, weight, pool: { inFlight: 0 } });
const a = endpoint("a");
const b = endpoint("b");
const c = endpoint("c");
const spare = endpoint("spare", 0);

function anotherOf(picks: readonly (typeof a | null)[], all: readonly (typeof a)[], chance = 0) {
  let at = 0;
  const pick = () => picks[at++ % picks.length] ?? null;
  return createAnother({ balancer: { pick }, endpoints: () => all, random: () => chance });
}

test("the balancer chooses, again when it chose one that was tried", () => {
  expect(anotherOf([a, b], [a, b, c])([a])).toBe(b);
  expect(anotherOf([a, a, c], [a, b, c])([a, b])).toBe(c);
});

test("where the balancer insists, chance chooses among the others that have a weight", () => {
  const all = [spare, a, b, c];
  expect(anotherOf([a], all, 0)([a])).toBe(b);
  expect(anotherOf([a], all, 0.99)([a])).toBe(c);
  // The same endpoint after an update of the registry.
  expect(anotherOf([a], [{ ...a }, b])([a])).toBe(b);
});

test("where all were tried, one is tried again; where there is none, none", () => {
  expect(anotherOf([a], [a, spare])([a])).toBe(a);
  expect(anotherOf([null], [])([a])).toBeNull();
});
