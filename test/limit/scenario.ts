import type { LimitAlgorithm, LimitSpec } from "../../src/limit/limit.ts";
import { windowIdeal, windowMeter } from "./window-meter.ts";
import { chance, Ideal, Meter, type SimGateway } from "./world.ts";
import { eachSeed, type World, worldOf } from "./worlds.ts";

export interface Scenario {
  readonly seed: number;
  /** Crashes, pauses, partitions, lost messages and slow ones. */
  readonly hasFaults: boolean;
  /** A failover that loses writes, or all of them. */
  readonly hasFailover: boolean;
  /** A token bucket when absent. */
  readonly algorithm?: LimitAlgorithm;
}

export interface Outcome {
  readonly spec: LimitSpec;
  /** What exceeded the rate most, in any interval, in bursts; of windows, the most in any of them, in limits. */
  readonly excess: number;
  readonly admitted: number;
  readonly ideal: number;
  readonly calls: number;
  readonly asked: number;
}

const WARM_MS = 3000;
const LONG_MS = 16_000;
const KEY = "someone";

function pick<T>(random: () => number, values: readonly [T, ...T[]]): T {
  return values[Math.floor(random() * values.length)] ?? values[0];
}

interface Playing extends World {
  readonly endMs: number;
}

type Rush = (by: readonly SimGateway[]) => void;

function faults({ random, timeline, gateways, network, endMs }: Playing, rush: Rush): void {
  const [start, span] = [WARM_MS, endMs - WARM_MS];
  const when = () => start + random() * span;
  const one = () => pick(random, gateways as [SimGateway, ...SimGateway[]]);
  const acts = [crash, pause, cut, cutAll, slow, lose];
  const count = 1 + Math.floor(random() * 3);
  for (let i = 0; i < count; i++) pick(random, acts as [() => void, ...(() => void)[]])();

  function crash(): void {
    const [gateway, at, back] = [one(), when(), random() < 0.6];
    timeline.at(at, () => gateway.crash());
    if (back) timeline.at(at + random() * 5000, () => gateway.restart());
  }
  function pause(): void {
    const [gateway, ms] = [one(), random() * 8000];
    const at = when();
    timeline.at(at, () => gateway.pause(ms));
    // What came meanwhile is asked for at once.
    timeline.at(at + ms + 0.01, () => rush(gateways));
  }
  function part(gateway: SimGateway, at: number, ms: number): void {
    const isSeen = random() < 0.5;
    timeline.at(at, () => {
      gateway.isCut = true;
      gateway.isAway = isSeen;
    });
    timeline.at(at + ms, () => {
      gateway.isCut = false;
      gateway.isAway = false;
    });
    for (let i = 0; i < 2; i++) timeline.at(at + random() * (ms + 3000), () => rush(gateways));
  }
  function cut(): void {
    part(one(), when(), random() * 12_000);
  }
  function cutAll(): void {
    const [at, ms] = [when(), random() * 12_000];
    for (const gateway of gateways) part(gateway, at + random() * 300, ms + random() * 2000);
  }
  function slow(): void {
    const before = network.latencyMs;
    timeline.at(when(), () => {
      network.latencyMs = () => random() * 700;
    });
    timeline.at(when() + 2000, () => {
      network.latencyMs = before;
    });
  }
  function lose(): void {
    const lossRate = random() * 0.5;
    timeline.at(when(), () => {
      network.lossRate = lossRate;
    });
    timeline.at(when() + 3000, () => {
      network.lossRate = 0;
    });
  }
}

function failOver({ random, timeline, redis, gateways, endMs }: Playing, storeKeys: readonly string[]): void {
  const at = WARM_MS + random() * (endMs - WARM_MS);
  if (random() < 0.7) timeline.at(at - random() * 2000, () => redis.save(storeKeys));
  const goneMs = random() * 1500;
  timeline.at(at, () => {
    for (const gateway of gateways) [gateway.isCut, gateway.isAway] = [true, true];
  });
  timeline.at(at + goneMs, () => {
    redis.failOver();
    for (const gateway of gateways) [gateway.isCut, gateway.isAway] = [false, false];
  });
}

function demand(
  { random, timeline, gateways, endMs }: Playing,
  perSecond: number,
  ask: (by: SimGateway) => void,
): void {
  const weights = gateways.map(() => (random() < 0.2 ? 0 : random() ** 2));
  const sum = weights.reduce((a, b) => a + b, 0) || 1;
  const isBursty = random() < 0.4;
  gateways.forEach((gateway, index) => {
    const perMs = (perSecond * (weights[index] ?? 0)) / sum / 1000;
    if (perMs <= 0) return;
    const phase = random() * 2000;
    const next = (): void => {
      const isOn = !isBursty || (timeline.nowMs + phase) % 2000 < 1000;
      if (isOn) ask(gateway);
      timeline.at(timeline.nowMs + -Math.log(1 - random()) / perMs, () => timeline.nowMs < endMs && next());
    };
    timeline.at(WARM_MS + random() * 50, next);
  });
}

/** With faults some bursts are large beside what comes in, so that no interval is long enough to hide an excess. */
function specOf(random: () => number, hasFaults: boolean): LimitSpec {
  const limit = pick(random, [1, 5, 10, 50, 100]);
  const isLarge = hasFaults && random() < 0.5;
  const bursts = isLarge ? ([5, 20, 60] as const) : ([0.1, 0.5, 1, 2] as const);
  const burst = Math.max(1, Math.round(Math.min(400, limit * pick<number>(random, bursts))));
  const onStoreError = pick(random, ["local", "local", "deny"] as const);
  return { name: "api", algorithm: "token_bucket", limit, perMs: 1000, burst, onStoreError };
}

/** So short that what a share may do is seen within a world. */
function windowSpecOf(random: () => number, algorithm: LimitAlgorithm): LimitSpec {
  const perMs = pick(random, [1000, 1000, 2000, 5000]);
  const limit = pick(random, [1, 5, 10, 50, 100, 400]);
  const onStoreError = pick(random, ["local", "local", "local", "deny"] as const);
  return { name: "api", algorithm, limit, perMs, burst: limit, onStoreError };
}

type StoreKeys = (spec: LimitSpec) => readonly string[];

/** Plays the worlds of some seeds. `storeKeys` are what a replica would have of a limit. */
export function playAll(
  [from, to]: readonly [number, number],
  kind: Omit<Scenario, "seed">,
  storeKeys: StoreKeys,
): Promise<(Outcome & Scenario)[]> {
  return eachSeed(from, to, async (seed) => {
    const scenario = { seed, ...kind };
    return { ...(await play(scenario, storeKeys)), ...scenario };
  });
}

/** The worlds in which `excess` was more than that: their seeds play them again. */
export function over(outcomes: readonly (Outcome & Scenario)[], most: number): unknown[] {
  return outcomes.filter(({ excess }) => excess > most).map(({ seed, excess, spec }) => [seed, excess, spec]);
}

/** Plays a world that the seed decides, and says what became of the limit. */
async function play(scenario: Scenario, storeKeys: StoreKeys): Promise<Outcome> {
  const { seed, hasFaults, hasFailover, algorithm = "token_bucket" } = scenario;
  const random = chance(seed);
  const baseMs = pick(random, [0.1, 0.5, 2]);
  const world = worldOf(random, { count: 1 + Math.floor(random() * 5), baseMs });
  const { timeline, redis, gateways } = world;
  const isBucket = algorithm === "token_bucket";
  const spec = isBucket ? specOf(random, hasFaults) : windowSpecOf(random, algorithm);
  const playing: Playing = { ...world, endMs: LONG_MS };
  const rate = spec.limit / spec.perMs;
  const meter = isBucket ? new Meter(rate) : windowMeter(spec, redis.clockMs);
  const ideal = isBucket ? new Ideal(spec) : windowIdeal(spec, redis.clockMs);
  const cost = isBucket ? 1 : Math.min(spec.limit, pick(random, [1, 1, 1, 0.5, 3]));
  let asked = 0;
  const ask = (gateway: SimGateway): void => {
    asked++;
    ideal.ask(timeline.nowMs, cost);
    gateway.ask(spec, KEY, (taken) => meter.add(timeline.nowMs, taken), cost);
  };
  const rush: Rush = (by) => {
    for (const gateway of by) for (let i = 0; i < spec.burst; i++) ask(gateway);
  };
  if (hasFaults) faults(playing, rush);
  if (hasFailover) failOver(playing, storeKeys(spec));
  const loads = hasFaults ? ([0.05, 0.1, 0.2, 0.5, 2] as const) : ([0.5, 1, 2, 3] as const);
  demand(playing, rate * 1000 * pick(random, loads as readonly [number, ...number[]]), ask);
  if (hasFaults) {
    for (let left = Math.floor(random() * 6); left > 0; left--) {
      timeline.at(WARM_MS + random() * (LONG_MS - WARM_MS), () => rush(gateways.filter(() => random() < 0.7)));
    }
  }
  await timeline.run(LONG_MS);
  for (const gateway of gateways) gateway.crash();
  return {
    spec,
    excess: meter.most / spec.burst,
    admitted: meter.total,
    ideal: ideal.total,
    calls: redis.calls,
    asked,
  };
}
