import { describe, expect, test } from "bun:test";
import { limitKey } from "../../src/limit/key.ts";
import { type Outcome, play, type Scenario } from "./scenario.ts";

const storeKeys = () => [limitKey("b", "api", "someone"), "limit:{gateways}"];
/** Sums of fractions are not exact. */
const ROUNDING = 1e-9;

async function playAll(from: number, to: number, kind: Omit<Scenario, "seed">): Promise<(Outcome & Scenario)[]> {
  const outcomes: (Outcome & Scenario)[] = [];
  for (let seed = from; seed < to; seed++) {
    const scenario = { seed, ...kind };
    outcomes.push({ ...(await play(scenario, storeKeys)), ...scenario });
  }
  return outcomes;
}

/** The worlds in which some interval was over so many bursts: their seeds play them again. */
function over(outcomes: readonly (Outcome & Scenario)[], bursts: number): unknown[] {
  return outcomes
    .filter(({ excess }) => excess > bursts + ROUNDING)
    .map(({ seed, excess, spec }) => [seed, excess, spec]);
}

describe("a thousand small worlds", () => {
  test("without faults admit no interval over the bound, and 97 % of what could be admitted", async () => {
    const outcomes = await playAll(0, 300, { hasFaults: false, hasFailover: false });
    expect(over(outcomes, 1)).toEqual([]);
    const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((all, outcome) => all + of(outcome), 0);
    expect(sum(({ admitted }) => admitted) / sum(({ ideal }) => ideal)).toBeGreaterThan(0.97);
  });

  test("with crashes, pauses, partitions, lost and late messages admit no interval over the bound", async () => {
    const outcomes = await playAll(1000, 1450, { hasFaults: true, hasFailover: false });
    expect(over(outcomes, 1)).toEqual([]);
  });

  test("with a failover that lost writes admit one burst more, once", async () => {
    const outcomes = await playAll(2000, 2250, { hasFaults: true, hasFailover: true });
    expect(over(outcomes, 2)).toEqual([]);
  });
});
