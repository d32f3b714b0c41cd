import { describe, expect, test } from "bun:test";
import type { SlotsSpec } from "../../src/limit/slots.ts";
import { chance, type Network, SimGateway, SimRedis, Timeline } from "./world.ts";

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
  const timeline = new Timeline();
  const redis = new SimRedis(timeline);
  const base = [0.1, 0.5, 2][seed % 3] ?? 1;
  const network: Network = { latencyMs: () => base * (0.5 + random()), lossRate: 0 };
  const gateways = Array.from(
    { length: 1 + (seed % 4) },
    (_, at) => new SimGateway(`g${at}`, { redis, network, random }),
  );
  const limit = [1, 4, 20, 100][Math.floor(random() * 4)] ?? 10;
  const spec: SlotsSpec = { name: "flights", limit, onStoreError };
  const flights = new Flights();
  if (hasFaults) harm();
  let idealNow = 0;
  let ideal = 0;
  let asked = 0;
  const meanMs = 20 + random() * 300;
  const perMs = (limit / meanMs) * (0.5 + random() * 2);
  const weights = gateways.map(() => random() ** 2 + 0.02);
  const sum = weights.reduce((a, b) => a + b, 0);

  function harm(): void {
    for (let i = 0; i < 3; i++) {
      const gateway = gateways[Math.floor(random() * gateways.length)];
      const [kind, at, ms] = [Math.floor(random() * 5), WARM_MS + random() * 9000, random() * 4500];
      if (gateway === undefined) continue;
      const { latencyMs } = network;
      if (kind === 0) {
        timeline.at(at, () => {
          flights.die(gateway);
          gateway.crash();
        });
        timeline.at(at + ms, () => gateway.restart());
      } else if (kind === 1) timeline.at(at, () => gateway.pause(ms));
      else if (kind === 2) {
        timeline.at(at, () => {
          gateway.isCut = true;
        });
        timeline.at(at + ms, () => {
          gateway.isCut = false;
        });
      } else if (kind === 3) {
        timeline.at(at, () => {
          network.lossRate = 0.4;
        });
        timeline.at(at + ms, () => {
          network.lossRate = 0;
        });
      } else {
        timeline.at(at, () => {
          network.latencyMs = () => random() * 600;
        });
        timeline.at(at + ms, () => {
          network.latencyMs = latencyMs;
        });
      }
    }
  }

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

async function each(from: number, to: number, kind: Omit<Scenario, "seed">): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let seed = from; seed < to; seed++) outcomes.push(await play({ seed, ...kind }));
  return outcomes;
}

describe("what is in flight in small worlds", () => {
  test("is never more than the limit, and 97 % of what could be let in is", async () => {
    const outcomes = await each(0, 100, { hasFaults: false, onStoreError: "local" });
    expect(outcomes.filter(({ most, limit }) => most > limit)).toEqual([]);
    const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((all, outcome) => all + of(outcome), 0);
    expect(sum(({ admitted }) => admitted) / sum(({ ideal }) => ideal)).toBeGreaterThan(0.97);
    expect(sum(({ calls }) => calls) / sum(({ asked }) => asked)).toBeLessThan(0.5);
  });

  test("is never more through crashes, pauses and cuts shorter than a lease, lost and late messages", async () => {
    const outcomes = await each(1000, 1200, { hasFaults: true, onStoreError: "deny" });
    expect(outcomes.filter(({ most, limit }) => most > limit)).toEqual([]);
  });

  test("is not twice the limit where shares are enforced beside what was in flight before", async () => {
    const outcomes = await each(2000, 2060, { hasFaults: true, onStoreError: "local" });
    expect(outcomes.filter(({ most, limit }) => most > 2 * limit)).toEqual([]);
  });
});
