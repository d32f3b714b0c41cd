import { expect, test } from "bun:test";
import { createRetryBudget } from "../../src/service/retry-budget.ts";

function setup() {
  const clock = { ms: 5000 };
  const budget = createRetryBudget(() => clock.ms);
  return {
    clock,
    count(requests: number) {
      for (let i = 0; i < requests; i++) budget.count();
    },
    /** How many of so many retries are allowed. */
    taken(retries: number, share = 0.2): number {
      let taken = 0;
      for (let i = 0; i < retries; i++) if (budget.take(share)) taken++;
      return taken;
    },
  };
}

test("retries are at most that share of the requests", () => {
  const { count, taken } = setup();
  count(1000);
  expect(taken(500)).toBe(200);
  count(100);
  expect(taken(500)).toBe(20);
  expect(taken(1, 0.1)).toBe(0);
});

test("of few requests ten may be retried all the same, were the share 0", () => {
  const { count, taken } = setup();
  expect(taken(100)).toBe(10);
  count(20);
  expect(taken(100)).toBe(0);
  expect(setup().taken(100, 0)).toBe(10);
});

test("what is ten seconds old counts no more, and not before", () => {
  const { clock, count, taken } = setup();
  count(500);
  clock.ms += 5000;
  expect(taken(500)).toBe(100);
  clock.ms += 4999;
  expect(taken(500)).toBe(0);
  // The requests have left the window, the retries have not.
  clock.ms += 1;
  count(600);
  expect(taken(500)).toBe(20);
  clock.ms += 5000;
  expect(taken(500)).toBe(100);
  clock.ms += 3_600_000;
  expect(taken(500)).toBe(10);
});
