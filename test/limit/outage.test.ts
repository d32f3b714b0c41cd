import { describe, expect, test } from "bun:test";
import type { LimitSpec } from "../../src/limit/limit.ts";
import { chance, Meter, type Network, SimGateway, SimRedis, Timeline } from "./world.ts";

const SPEC: LimitSpec = {
  name: "api",
  algorithm: "token_bucket",
  limit: 100,
  perMs: 1000,
  burst: 100,
  onStoreError: "local",
};

interface World {
  readonly network: Network;
  readonly timeline: Timeline;
  readonly redis: SimRedis;
  readonly gateways: readonly [SimGateway, SimGateway, SimGateway, SimGateway];
  readonly meter: Meter;
  /** Asks every gateway so many times a second from now until then. */
  load(perSecond: number, untilMs: number, by?: readonly SimGateway[], spec?: LimitSpec): void;
  /** What is admitted within so many milliseconds from now. */
  admitted(ms: number): Promise<number>;
}

/** Four gateways that know of each other: three seconds have passed. */
async function world(): Promise<World> {
  const timeline = new Timeline();
  const redis = new SimRedis(timeline);
  const network: Network = { latencyMs: () => 0.2, lossRate: 0 };
  const options = { redis, network, random: chance(1) };
  const make = (id: string) => new SimGateway(id, options);
  const gateways = [make("a"), make("b"), make("c"), make("d")] as const;
  const meter = new Meter(SPEC.limit / SPEC.perMs);
  await timeline.run(3000);
  const load: World["load"] = (perSecond, untilMs, by = gateways, spec = SPEC) => {
    for (const gateway of by) {
      const next = (): void => {
        gateway.ask(spec, "key", (cost) => meter.add(timeline.nowMs, cost));
        if (timeline.nowMs < untilMs) timeline.at(timeline.nowMs + 1000 / perSecond, next);
      };
      timeline.at(timeline.nowMs, next);
    }
  };
  const admitted = async (ms: number): Promise<number> => {
    const before = meter.total;
    await timeline.run(timeline.nowMs + ms);
    return meter.total - before;
  };
  return { network, timeline, redis, gateways, meter, load, admitted };
}

function cut(gateways: readonly SimGateway[], isCut: boolean): void {
  for (const gateway of gateways) gateway.isCut = isCut;
}

describe("while the store is away", () => {
  test("for all gateways their shares together are the limit, and nothing is over it when it comes back", async () => {
    const { gateways, meter, load, admitted } = await world();
    load(60, 40_000);
    await admitted(3000);
    cut(gateways, true);
    await admitted(6000);
    expect(gateways[0].limits.state()).toMatchObject({ mode: "local", gateways: 4, share: 0.25 });
    const local = await admitted(10_000);
    expect(local).toBeGreaterThan(960);
    expect(local).toBeLessThanOrEqual(1000);
    cut(gateways, false);
    await admitted(5000);
    expect(gateways[0].limits.state()).toMatchObject({ mode: "leased", gateways: 4, vanished: 0 });
    const after = await admitted(10_000);
    expect(after).toBeGreaterThan(980);
    expect(meter.most).toBeLessThanOrEqual(SPEC.burst + 1e-6);
  });

  test("for one gateway it has its share, and the others have the rest", async () => {
    const { gateways, meter, load, admitted } = await world();
    load(60, 40_000);
    await admitted(3000);
    cut([gateways[0]], true);
    await admitted(8000);
    expect(gateways[0].limits.state().mode).toBe("local");
    expect(gateways[1].limits.state()).toMatchObject({ mode: "leased", vanished: 1 });
    const both = await admitted(10_000);
    expect(both).toBeGreaterThan(960);
    cut([gateways[0]], false);
    await admitted(10_000);
    expect(gateways[1].limits.state()).toMatchObject({ mode: "leased", vanished: 0 });
    expect(meter.most).toBeLessThanOrEqual(SPEC.burst + 1e-6);
  });

  test("what is leased lasts until the shares take over, below the limit", async () => {
    const { gateways, load, admitted } = await world();
    load(3, 40_000);
    await admitted(3000);
    cut(gateways, true);
    const during = await admitted(10_000);
    expect(during).toBeGreaterThan(95);
  });

  test("a key that is not known is refused until shares may be spent, and then has its part of the burst", async () => {
    const { gateways, timeline, meter, load, admitted } = await world();
    cut(gateways, true);
    await admitted(100);
    load(20, timeline.nowMs + 500);
    expect(await admitted(600)).toBe(0);
    await admitted(5000);
    load(1000, timeline.nowMs + 5);
    expect(await admitted(5)).toBe(24);
    expect(meter.most).toBeLessThanOrEqual(SPEC.burst);
  });

  test("allow lets everything through, deny nothing, and neither waits once the store was silent", async () => {
    const { gateways, admitted } = await world();
    cut(gateways, true);
    await admitted(3000);
    const [gateway] = gateways;
    const allow = gateway.limits.limiter({ ...SPEC, onStoreError: "allow" }).take("key");
    const deny = gateway.limits.limiter({ ...SPEC, onStoreError: "deny" }).take("key");
    expect(allow).toMatchObject({ isAdmitted: true, mode: "allowed" });
    expect(deny).toMatchObject({ isAdmitted: false, mode: "denied" });
  });

  test("a request waits no longer than the deadline, and the answer is taken when it comes", async () => {
    const { timeline, gateways, redis, admitted } = await world();
    const [gateway] = gateways;
    const calls = redis.calls;
    gateway.isCut = true;
    const verdict = gateway.limits.limiter(SPEC).take("key");
    gateway.isCut = false;
    const startedMs = timeline.nowMs;
    let decidedMs = 0;
    void Promise.resolve(verdict).then(() => {
      decidedMs = timeline.nowMs;
    });
    await admitted(200);
    expect(decidedMs - startedMs).toBeGreaterThan(99);
    expect(decidedMs - startedMs).toBeLessThan(101);
    expect(gateway.limits.limiter(SPEC).take("key")).toMatchObject({ isAdmitted: false, mode: "local" });
    await admitted(1000);
    expect(redis.calls).toBeGreaterThan(calls);
    let last: unknown = null;
    void Promise.resolve(gateway.limits.limiter(SPEC).take("key")).then((told) => {
      last = told;
    });
    await admitted(5);
    expect(last).toMatchObject({ isAdmitted: true, mode: "leased" });
  });
});

describe("a stall that is shorter than a request waits", () => {
  /** Verdicts of so many requests for new keys, when all have one. */
  async function taken(gateway: SimGateway, { timeline }: World, count: number): Promise<unknown[]> {
    const { limits } = gateway;
    const asked = Array.from({ length: count }, (_, index) => limits.limiter(SPEC).take(`key ${index}`));
    await timeline.run(timeline.nowMs + 500);
    return Promise.all(asked);
  }

  test("of the store refuses nobody", async () => {
    const one = await world();
    const startedMs = one.timeline.nowMs;
    one.network.latencyMs = () => (one.timeline.nowMs < startedMs + 50 ? 40 : 0.2);
    for (const verdict of await taken(one.gateways[0], one, 20)) expect(verdict).toMatchObject({ isAdmitted: true });
  });

  test("is what one of the gateway itself counts as, however long it was", async () => {
    const one = await world();
    const [gateway] = one.gateways;
    one.timeline.at(one.timeline.nowMs + 0.1, () => gateway.pause(300));
    for (const verdict of await taken(gateway, one, 20)) expect(verdict).toMatchObject({ isAdmitted: true });
  });
});

test("as many requests at once as the burst of a new key all pass, however small it is", async () => {
  const { gateways, timeline } = await world();
  for (const burst of [5, 10, 20, 100]) {
    const limiter = gateways[0].limits.limiter({ ...SPEC, name: `of ${burst}`, limit: burst, burst });
    const asked = Array.from({ length: burst }, () => limiter.take("key"));
    await timeline.run(timeline.nowMs + 50);
    const verdicts = await Promise.all(asked);
    expect([burst, verdicts.filter(({ isAdmitted }) => isAdmitted).length]).toEqual([burst, burst]);
  }
});

test("a key that was spent from shares is not full when the gateway is back", async () => {
  const { gateways, timeline, meter } = await world();
  const spec = { ...SPEC, burst: 400 };
  const rush = () => {
    for (const gateway of gateways) {
      for (let i = 0; i < 400; i++) gateway.ask(spec, "key", (cost) => meter.add(timeline.nowMs, cost));
    }
  };
  cut(gateways, true);
  await timeline.run(timeline.nowMs + 12_000);
  rush();
  expect(meter.total).toBeGreaterThan(380);
  cut(gateways, false);
  for (let i = 0; i < 40; i++) {
    await timeline.run(timeline.nowMs + 50);
    if (i > 24) rush();
  }
  expect(meter.most).toBeLessThanOrEqual(400 + 1e-6);
});

describe("a lease that a gateway keeps while it is cut off", () => {
  /** One that has some of a full bucket, asks for no more, and is cut off; the others know nothing of the key. */
  async function cutOff(): Promise<World & { readonly leased: number }> {
    const { timeline, load, admitted, ...rest } = await world();
    const [gateway] = rest.gateways;
    load(20, timeline.nowMs + 1500, [gateway]);
    await admitted(1500);
    gateway.isCut = true;
    await admitted(500);
    return { timeline, load, admitted, ...rest, leased: gateway.limits.state().limiters[0]?.leased ?? 0 };
  }

  function rush({ timeline, meter }: World, gateways: readonly SimGateway[]): void {
    for (const gateway of gateways) {
      for (let i = 0; i < 50; i++) gateway.ask(SPEC, "key", (cost) => meter.add(timeline.nowMs, cost));
    }
  }

  test("may be spent to its end, and the store takes it for spent as late", async () => {
    for (let atMs = 0; atMs < 3000; atMs += 30) {
      const one = await cutOff();
      expect(one.leased).toBeGreaterThan(5);
      await one.admitted(atMs);
      rush(one, [one.gateways[0]]);
      // Now and then nobody asks until it has ended for the store as well.
      await one.admitted(atMs % 200);
      for (let i = 0; i < 40; i++) {
        rush(one, one.gateways.slice(1));
        await one.admitted(10);
      }
      expect([atMs, one.meter.most <= SPEC.burst + 1e-6]).toEqual([atMs, true]);
    }
  });

  test("is void after its end, when the others have its tokens", async () => {
    const one = await cutOff();
    await one.admitted(2450);
    for (let i = 0; i < 50; i++) {
      rush(one, one.gateways.slice(1));
      await one.admitted(5);
    }
    const before = one.meter.total;
    rush(one, [one.gateways[0]]);
    expect(one.meter.total - before).toBeLessThan(10);
    expect(one.meter.most).toBeLessThanOrEqual(SPEC.burst + 1e-6);
  });
});

describe("a gateway that is gone", () => {
  test("by a crash strands no more than it had been lent, which counts as spent", async () => {
    const { gateways, timeline, meter, load, admitted } = await world();
    const slow: LimitSpec = { ...SPEC, perMs: 3_600_000 };
    load(1000, timeline.nowMs + 4, [gateways[0]], slow);
    await admitted(10);
    const { leased } = gateways[0].limits.state().limiters[0] ?? { leased: 0 };
    expect(leased).toBeGreaterThan(0);
    expect(leased).toBeLessThanOrEqual(SPEC.burst / 4);
    gateways[0].crash();
    load(100, timeline.nowMs + 1000, [gateways[1]], slow);
    await admitted(6000);
    expect(meter.total).toBeGreaterThanOrEqual(SPEC.burst - leased - 1);
    expect(meter.total).toBeLessThanOrEqual(SPEC.burst);
  });

  test("by a crash has its share withheld for a minute, and then the others have it all", async () => {
    const { gateways, load, admitted } = await world();
    load(60, 100_000);
    await admitted(3000);
    gateways[0].crash();
    await admitted(6000);
    const withheld = await admitted(10_000);
    expect(withheld).toBeGreaterThan(730);
    expect(withheld).toBeLessThanOrEqual(775);
    await admitted(55_000);
    expect(await admitted(10_000)).toBeGreaterThan(980);
  });

  test("and comes back under the same id has its share again", async () => {
    const { gateways, load, admitted } = await world();
    load(60, 100_000);
    await admitted(3000);
    gateways[0].crash();
    await admitted(6000);
    gateways[0].restart();
    await admitted(4000);
    expect(await admitted(10_000)).toBeGreaterThan(980);
    expect(gateways[1].limits.state()).toMatchObject({ gateways: 4, vanished: 0 });
  });

  test("with a goodbye leaves everything to the others at once", async () => {
    const { gateways, redis, timeline, load, admitted } = await world();
    load(60, timeline.nowMs + 3000);
    await admitted(4000);
    const closing = gateways[0].limits.close();
    await admitted(100);
    await closing;
    load(200, timeline.nowMs + 20_000, gateways.slice(1));
    await admitted(1000);
    expect(await admitted(10_000)).toBeGreaterThan(980);
    expect(gateways[1].limits.state()).toMatchObject({ gateways: 3, vanished: 0 });
    expect(redis.calls).toBeGreaterThan(0);
  });
});
