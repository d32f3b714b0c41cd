import { describe, expect, test } from "bun:test";
import { AdaptiveLimit, fixedLimit } from "../../src/service/concurrency-limit.ts";
import type { AdaptiveOptions } from "../../src/service/concurrency-options.ts";
import { seededRandom } from "../support/chance.ts";
import { type SimulatedLoad, type SimulatedService, Simulation } from "./concurrency-simulation.ts";

const OPTIONS: AdaptiveOptions = {
  initial: 20,
  min: 8,
  max: 1000,
  intervalMs: 100,
  percentile: 0.5,
  tolerance: 1.5,
  smoothing: 0.2,
  minRttIntervalMs: 30_000,
};

/** Times that vary as widely as those of a queue's server: many short ones, a few very long ones. */
function exponential(seed: number): (meanMs: number) => number {
  const next = seededRandom(seed);
  return (meanMs) => Math.round(-Math.log(1 - next()) * meanMs);
}

interface Setup extends Partial<SimulatedService>, Partial<SimulatedLoad> {
  readonly options?: Partial<AdaptiveOptions>;
}

function simulate({ options, clients = 500, ...written }: Setup) {
  const service: SimulatedService = { capacity: 100, serviceMs: 50, ...written };
  const load: SimulatedLoad = { clients };
  const simulation = new Simulation(service, load);
  const limit = new AdaptiveLimit({ ...OPTIONS, ...options }, () => simulation.nowMs);
  simulation.use(limit);
  /** The share of what the service can do that it did. */
  const goodput = (ms: number) => simulation.run(ms).perSecond / ((service.capacity * 1000) / service.serviceMs);
  return { service, load, simulation, limit, goodput, run: (ms: number) => simulation.run(ms) };
}

describe("an adaptive limit", () => {
  test("rises to what the service can do, and stays near it", () => {
    const { run, goodput } = simulate({});
    run(5000);
    const { least, most } = run(20_000);
    expect(least).toBeGreaterThan(100);
    expect(most).toBeLessThan(180);
    expect(goodput(60_000)).toBeGreaterThan(0.98);
  });

  test.each([
    [8, 16],
    [20, 36],
    [400, 660],
  ])("ends near a service's capacity of %d, and not above %d", (capacity, bound) => {
    const { run } = simulate({ capacity, clients: 3 * bound });
    run(60_000);
    const { mean, perSecond } = run(30_000);
    expect(mean).toBeGreaterThan(capacity);
    expect(mean).toBeLessThan(bound);
    expect(perSecond).toBeGreaterThan(0.98 * capacity * 20);
  });

  test("falls to what the service can do where it begins far above", () => {
    const { run, goodput } = simulate({ capacity: 20, clients: 2000, options: { initial: 200 } });
    run(60_000);
    expect(run(60_000).mean).toBeLessThan(50);
    expect(goodput(10_000)).toBeGreaterThan(0.95);
  });

  test("follows a capacity that halves and doubles", () => {
    const { run, service, goodput } = simulate({});
    run(20_000);
    service.capacity = 50;
    run(5000);
    const halved = run(10_000);
    expect([halved.least > 50, halved.most < 100]).toEqual([true, true]);
    service.capacity = 100;
    run(5000);
    expect(run(10_000).mean).toBeGreaterThan(110);
    expect(goodput(10_000)).toBeGreaterThan(0.95);
  });

  test("finds out that a service has become slower as such, and does not take that for a line", () => {
    const { run, service, goodput } = simulate({});
    run(20_000);
    service.serviceMs = 100;
    run(15_000);
    expect(goodput(10_000)).toBeGreaterThan(0.95);
    expect(run(10_000).mean).toBeLessThan(180);
  });

  test("recovers from a capacity that fell to a tenth", () => {
    const { run, service, goodput } = simulate({});
    run(20_000);
    service.capacity = 10;
    run(30_000);
    expect(run(10_000).mean).toBeLessThan(30);
    service.capacity = 100;
    run(30_000);
    expect(goodput(10_000)).toBeGreaterThan(0.95);
  });

  test.each([1, 2, 3, 4, 5])("does not collapse where response times vary widely (%d)", (seed) => {
    const { run, goodput } = simulate({ spread: exponential(seed) });
    run(20_000);
    expect(goodput(60_000)).toBeGreaterThan(0.9);
    expect(run(10_000).mean).toBeLessThan(250);
  });

  test("keeps near the capacity of a service that sheds by itself", () => {
    const { run, goodput } = simulate({ capacity: 20, clients: 200, sheds: true });
    run(10_000);
    const { mean, most } = run(20_000);
    expect([mean > 17, most < 25]).toEqual([true, true]);
    expect(goodput(20_000)).toBeGreaterThan(0.9);
  });

  test("never stalls the service while it measures", () => {
    const { run, simulation } = simulate({});
    run(20_000);
    // Any tenth of a second, over two measurings.
    for (let i = 0; i < 700; i++) expect(simulation.run(100).perSecond).toBeGreaterThan(500);
  });

  test("gives up measuring where long responses keep their places, rather than let the others wait for them", () => {
    let ms = 0;
    const limit = new AdaptiveLimit(OPTIONS, () => ms);
    // Twenty are in flight for good, whose heads came long ago; others come, and are answered quickly.
    let lowestFor = 0;
    for (; ms < 120_000; ms++) {
      limit.held();
      if (limit.current < 20) lowestFor++;
      else limit.answered(10, 20);
    }
    expect(lowestFor).toBeGreaterThan(0);
    expect(lowestFor).toBeLessThan(0.05 * 120_000);
  });

  test("stays where it is without demand", () => {
    const { run, limit, load } = simulate({ clients: 5 });
    expect(run(60_000)).toMatchObject({ least: 20, most: 20 });
    // Half of it is demand enough.
    load.clients = 15;
    run(2000);
    expect(limit.current).toBeGreaterThan(20);
    expect(limit.current).toBeLessThan(40);
  });

  test("knows from calm times what is slow when too many come", () => {
    const { run, limit, load } = simulate({ capacity: 20, clients: 15 });
    run(20_000);
    expect(limit.baseMs).toBeCloseTo(50, 0);
    load.clients = 400;
    expect(run(2000).most).toBeLessThan(60);
    run(10_000);
    expect(run(10_000).mean).toBeLessThan(40);
  });

  test("holds to a most that is less than it would measure with", () => {
    expect(simulate({ options: { initial: 2, min: 1, max: 2 } }).run(60_000).most).toBe(2);
  });

  test("keeps within its bounds", () => {
    expect(simulate({ options: { max: 30 } }).run(20_000).most).toBe(30);
    const sick = new AdaptiveLimit(
      OPTIONS,
      (() => {
        let ms = 0;
        return () => ++ms;
      })(),
    );
    for (let i = 0; i < 20_000; i++) sick.dropped(20);
    expect(sick.current).toBe(8);
  });

  test("is not moved by a few requests that run out of time", () => {
    const { run, simulation, limit } = simulate({});
    run(10_000);
    for (let i = 0; i < 200; i++) {
      limit.dropped(simulation.inFlight);
      run(100);
    }
    expect(run(10_000).mean).toBeGreaterThan(110);
  });
});

describe("a fixed limit", () => {
  test("stays", () => {
    const limit = fixedLimit(7);
    limit.held();
    for (let i = 0; i < 1000; i++) limit.dropped(7);
    expect([limit.current, limit.baseMs]).toEqual([7, 0]);
  });
});
