import { describe, expect, test } from "bun:test";
import { type Case, demandsOf, nameOf, specOf } from "../../bench/limits/cases.ts";
import { runFault } from "../../bench/limits/fault-run.ts";
import { FAULTS } from "../../bench/limits/faults.ts";
import { startGroup } from "../../bench/limits/group.ts";
import { judge } from "../../bench/limits/judge.ts";
import { startRedis } from "../support/redis.ts";

/** Nothing but the rounding of times. */
const ROUNDING = 1e-6;

const CASES: readonly Case[] = [
  { limit: 1000, burst: 100, pattern: "bursting", keys: 1, demand: 3000 },
  { limit: 20, burst: 5, pattern: "skewed", keys: 20, demand: 60 },
];

describe("four gateways with one Redis", () => {
  for (const one of CASES) {
    test(`never admit more than ${nameOf(one)} in any interval`, async () => {
      await using redis = await startRedis();
      const members = demandsOf(one).map((demand) => ({ demand, redis: { url: redis.url } }));
      await using group = await startGroup({ kind: "lease", spec: specOf(one), keys: one.keys, seconds: 2, members });
      group.go();
      const reports = await Promise.all(group.members.map(({ report }) => report));
      const records = await group.records();
      const found = judge(records.values(), { burst: one.burst, perMs: one.limit / 1000 });
      expect(reports.map((report) => report?.faults)).toEqual([[], [], [], []]);
      expect(records.size).toBe(one.keys);
      expect(found.admitted).toBeGreaterThan(one.burst * one.keys);
      expect(found.worstExcess).toBeLessThanOrEqual(ROUNDING);
    });
  }
});

/** Long enough for shares to be enforced in one of them. */
const LASTS_MS: Readonly<Record<string, number>> = {
  "Redis killed, back empty": 5000,
  "failed over to a replica": 2500,
};

describe("gateways keep to a limit, and throw nothing, through", () => {
  for (const fault of FAULTS) {
    test.concurrent(fault.name, async () => {
      const numbers = { limit: 100, burst: 100 };
      const demands = demandsOf({ ...numbers, pattern: "even", keys: 1, demand: 300 }).slice(0, 2);
      const lastsMs = LASTS_MS[fault.name] ?? 1500;
      const run = { spec: specOf(numbers), demands, beforeMs: 1000, lastsMs, afterMs: 2000 };
      const { all, allowedExcess, faults } = await runFault(fault, run);
      expect(faults).toEqual([]);
      expect(all.admitted).toBeGreaterThan(numbers.burst);
      expect(all.worstExcess).toBeLessThanOrEqual(allowedExcess + ROUNDING);
    });
  }
});
