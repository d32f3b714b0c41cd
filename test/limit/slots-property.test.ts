import { describe, expect, test } from "bun:test";
import type { SlotsSpec } from "../../src/limit/slots.ts";
import { chance, type SimGateway } from "./world.ts";
import { admittedShare, eachSeed, harm, sizeOf, worldOf } from "./worlds.ts";

interface Outcome {
  readonly seed: number;
  readonly limit: number;
  readonly most: number;
  readonly admitted: number;
  readonly ideal: number;
  readonly calls: number;
  readonly asked: number;
}

const WARM_MS = 3000;
const END_MS = 12_000;

/** Slots in use, all in all: those of a process that died are free. */
class Flights {
  readonly #byGateway = new Map<SimGateway, Set<object>>();
  most = 0;
  admitted = 0;

  enter(gateway: SimGateway): object {
    const flight = {};
    const flights = this.#byGateway.get(gateway) ?? new Set();
    this.#byGateway.set(gateway, flights.add(flight));
    this.admitted++;
    const now = [...this.#byGateway.values()].reduce((sum, { size }) => sum + size, 0);
    this.most = Math.max(this.most, now);
    return flight;
  }

  leave(gateway: SimGateway, flight: object): boolean {
    return this.#byGateway.get(gateway)?.delete(flight) ?? false;
  }

  die(gateway: SimGateway): void {
    this.#byGateway.delete(gateway);
  }
}

interface Scenario {
  readonly seed: number;
  readonly hasFaults: boolean;
  readonly onStoreError: SlotsSpec["onStoreError"];
}

async function play({ seed, hasFaults, onStoreError }: Scenario): Promise<Outcome> {
  const random = chance(seed);
  const world = worldOf(random, sizeOf(seed));
  const { timeline, redis, gateways } = world;
  const limit = [1, 4, 20, 100][Math.floor(random() * 4)] ?? 10;
  const spec: SlotsSpec = { name: "flights", limit, onStoreError };
  const flights = new Flights();
  if (hasFaults) {
    const onCrash = (gateway: SimGateway): void => flights.die(gateway);
    harm(world, { fromMs: WARM_MS, toMs: END_MS, longestMs: 4500, lossRate: () => 0.4, slowestMs: 600, onCrash });
  }
  let idealNow = 0;
  let ideal = 0;
  let asked = 0;
  const meanMs = 20 + random() * 300;
  const perMs = (limit / meanMs) * (0.5 + random() * 2);
  const weights = gateways.map(() => random() ** 2 + 0.02);
  const sum = weights.reduce((a, b) => a + b, 0);

  async function request(gateway: SimGateway, ms: number): Promise<void> {
    if (gateway.isDead || gateway.isPaused) return;
    const { limits } = gateway;
    const slots = limits.slots(spec);
    const { isAdmitted } = await slots.enter("someone");
    if (!isAdmitted || gateway.isDead || limits !== gateway.limits) return;
    const flight = flights.enter(gateway);
    const end = (): void => {
      if (gateway.isPaused && !gateway.isDead && limits === gateway.limits) {
        timeline.at(timeline.nowMs + 50, end);
        return;
      }
      if (flights.leave(gateway, flight)) slots.leave("someone");
    };
    timeline.at(timeline.nowMs + ms, end);
  }

  gateways.forEach((gateway, at) => {
    const each = (perMs * (weights[at] ?? 0)) / sum;
    const next = (): void => {
      asked++;
      const ms = -Math.log(1 - random()) * meanMs;
      if (idealNow < limit) {
        ideal++;
        idealNow++;
        timeline.at(timeline.nowMs + ms, () => void idealNow--);
      }
      void request(gateway, ms);
      timeline.at(timeline.nowMs - Math.log(1 - random()) / each, () => timeline.nowMs < END_MS && next());
    };
    timeline.at(WARM_MS + random() * 50, next);
  });
  await timeline.run(END_MS);
  for (const gateway of gateways) gateway.crash();
  return { seed, limit, most: flights.most, admitted: flights.admitted, ideal, calls: redis.calls, asked };
}

describe("what is in flight in small worlds", () => {
  test("is never more than the limit, and 97 % of what could be let in is", async () => {
    const outcomes = await eachSeed(0, 100, (seed) => play({ seed, hasFaults: false, onStoreError: "local" }));
    expect(outcomes.filter(({ most, limit }) => most > limit)).toEqual([]);
    const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((all, outcome) => all + of(outcome), 0);
    expect(admittedShare(outcomes)).toBeGreaterThan(0.97);
    expect(sum(({ calls }) => calls) / sum(({ asked }) => asked)).toBeLessThan(0.5);
  });

  test("is never more through crashes, pauses and cuts shorter than a lease, lost and late messages", async () => {
    const outcomes = await eachSeed(1000, 1200, (seed) => play({ seed, hasFaults: true, onStoreError: "deny" }));
    expect(outcomes.filter(({ most, limit }) => most > limit)).toEqual([]);
  });

  test("is not twice the limit where shares are enforced beside what was in flight before", async () => {
    const outcomes = await eachSeed(2000, 2060, (seed) => play({ seed, hasFaults: true, onStoreError: "local" }));
    expect(outcomes.filter(({ most, limit }) => most > 2 * limit)).toEqual([]);
  });
});
