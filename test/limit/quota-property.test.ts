import { describe, expect, test } from "bun:test";
import type { QuotaSpec } from "../../src/limit/quota.ts";
import { chance, type SimGateway } from "./world.ts";
import { eachSeed, harm, sizeOf, type World, worldOf } from "./worlds.ts";

const MIDNIGHT_MS = Date.UTC(2023, 10, 15);

interface Admitted {
  readonly askedMs: number;
  readonly admittedMs: number;
  readonly cost: number;
}

function harmUntil(world: World, endMs: number): void {
  const lossRate = () => world.random() * 0.5;
  harm(world, { fromMs: 0, toMs: endMs, longestMs: endMs * 0.3, lossRate, slowestMs: 700 });
}

interface Play {
  readonly spec: QuotaSpec;
  readonly endMs: number;
  /** Units a second that are asked for, all in all. */
  readonly perSecond: number;
}

async function ask(gateway: SimGateway, spec: QuotaSpec, cost: number): Promise<boolean> {
  if (gateway.isDead || gateway.isPaused) return false;
  const { limits } = gateway;
  const { isAdmitted } = await limits.quota(spec).take("someone", cost);
  return isAdmitted && !gateway.isDead && limits === gateway.limits;
}

async function play(world: World, { spec, endMs, perSecond }: Play): Promise<readonly Admitted[]> {
  const { random, timeline, gateways } = world;
  const admitted: Admitted[] = [];
  const weights = gateways.map(() => random() ** 2 + 0.01);
  const sum = weights.reduce((a, b) => a + b, 0);
  gateways.forEach((gateway, at) => {
    const perMs = (perSecond * (weights[at] ?? 0)) / sum / 1000;
    const next = (): void => {
      const cost = random() < 0.2 ? 2 : 1;
      const askedMs = timeline.nowMs;
      void ask(gateway, spec, cost).then((isAdmitted) => {
        if (isAdmitted) admitted.push({ askedMs, admittedMs: timeline.nowMs, cost });
      });
      timeline.at(timeline.nowMs - Math.log(1 - random()) / perMs, () => timeline.nowMs < endMs && next());
    };
    timeline.at(random() * 50, next);
  });
  await timeline.run(endMs + 1000);
  for (const gateway of gateways) gateway.crash();
  return admitted;
}

function units(list: readonly Admitted[]): number {
  return list.reduce((sum, { cost }) => sum + cost, 0);
}

/** A day that ends in the middle of the world: what is spent on either side of midnight. */
async function playDay(seed: number, hasFaults: boolean) {
  const world = worldOf(chance(seed), sizeOf(seed));
  const endMs = 16_000;
  const rollMs = 8000;
  world.redis.clockMs = MIDNIGHT_MS - rollMs;
  const limit = [1, 7, 50, 300][seed % 4] ?? 10;
  const spec: QuotaSpec = { name: "day", window: { per: "day", timeZone: "UTC" }, limit, onStoreError: "deny" };
  if (hasFaults) harmUntil(world, endMs);
  const admitted = await play(world, { spec, endMs, perSecond: (limit / 8) * 2 + 2 });
  const today = admitted.filter(({ admittedMs }) => admittedMs < rollMs);
  const tomorrow = admitted.filter(({ askedMs }) => askedMs >= rollMs);
  return { seed, limit, days: [units(today), units(tomorrow)] };
}

async function playRolling(seed: number, hasFaults: boolean) {
  const world = worldOf(chance(seed), sizeOf(seed));
  const endMs = 150_000;
  const limit = [3, 40, 120][seed % 3] ?? 10;
  const spec: QuotaSpec = { name: "rolls", window: { rollingMs: 60_000 }, limit, onStoreError: "deny" };
  if (hasFaults) harmUntil(world, endMs);
  const admitted = await play(world, { spec, endMs, perSecond: limit / 30 });
  let most = 0;
  for (const { admittedMs } of admitted) {
    const within = admitted.filter((one) => one.admittedMs <= admittedMs && admittedMs - one.askedMs < 60_000);
    most = Math.max(most, units(within));
  }
  return { seed, limit, most, admitted: units(admitted) };
}

describe("a quota in small worlds", () => {
  test("is never exceeded, and 97 % of it is had when it is asked for", async () => {
    const outcomes = await eachSeed(0, 120, (seed) => playDay(seed, false));
    expect(outcomes.filter(({ limit, days }) => days.some((day) => day > limit))).toEqual([]);
    const had = outcomes.reduce((sum, { days }) => sum + days.reduce((a, b) => a + b, 0), 0);
    const could = outcomes.reduce((sum, { limit }) => sum + 2 * limit, 0);
    expect(had / could).toBeGreaterThan(0.97);
  });

  test("is never exceeded through crashes, pauses, cuts, lost and late messages", async () => {
    const outcomes = await eachSeed(1000, 1300, (seed) => playDay(seed, true));
    expect(outcomes.filter(({ limit, days }) => days.some((day) => day > limit))).toEqual([]);
  });

  test("that rolls is never exceeded in any window, and 90 % of it is had", async () => {
    const outcomes = await eachSeed(2000, 2060, (seed) => playRolling(seed, false));
    expect(outcomes.filter(({ limit, most }) => most > limit)).toEqual([]);
    const had = outcomes.reduce((sum, { admitted }) => sum + admitted, 0);
    expect(had / outcomes.reduce((sum, { limit }) => sum + 2.5 * limit, 0)).toBeGreaterThan(0.9);
  });

  test("that rolls is never exceeded through faults", async () => {
    const outcomes = await eachSeed(3000, 3080, (seed) => playRolling(seed, true));
    expect(outcomes.filter(({ limit, most }) => most > limit)).toEqual([]);
  });
});
