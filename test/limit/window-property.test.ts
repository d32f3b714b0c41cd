import { describe, expect, test } from "bun:test";
import { limitKey } from "../../src/limit/key.ts";
import type { LimitAlgorithm, LimitSpec } from "../../src/limit/limit.ts";
import { type Outcome, play, type Scenario } from "./scenario.ts";

function storeKeys({ algorithm, perMs }: LimitSpec): readonly string[] {
  const letter = algorithm === "sliding_window" ? "s" : "f";
  return [limitKey(letter, `api.${perMs}`, "someone"), "limit:{gateways}"];
}

async function playAll(from: number, to: number, kind: Omit<Scenario, "seed">): Promise<(Outcome & Scenario)[]> {
  const outcomes: (Outcome & Scenario)[] = [];
  for (let seed = from; seed < to; seed++) {
    const scenario = { seed, ...kind };
    outcomes.push({ ...(await play(scenario, storeKeys)), ...scenario });
  }
  return outcomes;
}

/** The worlds in which some window had over so many limits: their seeds play them again. */
function over(outcomes: readonly (Outcome & Scenario)[], limits: number): unknown[] {
  return outcomes.filter(({ excess }) => excess > limits).map(({ seed, excess, spec }) => [seed, excess, spec]);
}

const algorithms: readonly LimitAlgorithm[] = ["fixed_window", "sliding_window"];

describe.each(algorithms)("hundreds of small worlds with a %s", (algorithm) => {
  test("without faults are never over the limit, and admit 97 % of what could be", async () => {
    const outcomes = await playAll(0, 150, { hasFaults: false, hasFailover: false, algorithm });
    expect(over(outcomes, 1)).toEqual([]);
    const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((all, outcome) => all + of(outcome), 0);
    expect(sum(({ admitted }) => admitted) / sum(({ ideal }) => ideal)).toBeGreaterThan(0.97);
  });

  test("with crashes, pauses, partitions, lost and late messages are never over the limit", async () => {
    const outcomes = await playAll(1000, 1300, { hasFaults: true, hasFailover: false, algorithm });
    expect(over(outcomes, 1)).toEqual([]);
  });

  test("with a failover that lost writes admit one limit more, once", async () => {
    const outcomes = await playAll(2000, 2100, { hasFaults: true, hasFailover: true, algorithm });
    expect(over(outcomes, 2)).toEqual([]);
  });
});
