import { describe, expect, test } from "bun:test";
import type { EndpointSpec } from "../../src/registry/registry.ts";
import { createStaticRegistry } from "../../src/registry/static.ts";
import type { ServiceOptions } from "../../src/service/options.ts";
import { createService, type Service } from "../../src/service/service.ts";
import { eventually } from "../support/load.ts";
import { closedPort, startBlackhole } from "../support/unreachable.ts";
import { startUpstream } from "../support/upstream.ts";
import { startPassthrough, type TestPassthrough } from "../wire/l4/support.ts";
import { breakerOptions, outlierOptions, serviceDeps, serviceOptions, spec } from "./support.ts";

const BREAKER = breakerOptions();

const OUTLIERS = outlierOptions({ consecutiveFailures: 2 });

interface Setup extends AsyncDisposable {
  readonly l4: TestPassthrough;
  readonly service: Service;
}

async function open(endpoints: readonly EndpointSpec[], options: Partial<ServiceOptions>): Promise<Setup> {
  const deps = serviceDeps(createStaticRegistry({ shop: endpoints }));
  const service = createService("shop", serviceOptions({ panicPercent: 0, ...options }), deps);
  await service.ready;
  const l4 = startPassthrough({ onPassage: (passage) => service.connect(passage) });
  return {
    l4,
    service,
    async [Symbol.asyncDispose]() {
      await l4[Symbol.asyncDispose]();
      service.close();
    },
  };
}

const state = ({ service }: Setup) => [service.guards?.breakerState, service.guards?.ejected];

describe("a passage through a service with guards", () => {
  test("waits for no connection where as many do as may", async () => {
    using hole = await startBlackhole();
    const breaker = { ...BREAKER, maxPending: 1 };
    await using setup = await open([spec("one", `http://127.0.0.1:${hole.port}`)], { breaker });
    const first = await setup.l4.connect();
    await eventually(() => setup.service.endpoints[0]?.pool.inFlight === 1, "the dial");
    const second = await setup.l4.connect();
    expect(await second.peer.closing()).toBe("reset");
    expect(await setup.l4.ended()).toMatchObject({
      attempts: 0,
      error: { code: "overloaded" },
      decisions: [{ policy: "circuit_breaker", outcome: "pending_full", about: "shop" }],
    });
    // Who gives up leaves its place to the next.
    first.peer.reset();
    await setup.l4.ended(2);
    await setup.l4.connect();
    await eventually(() => setup.service.endpoints[0]?.pool.inFlight === 1, "the next dial");
  });

  test("blames nobody when its client leaves before there is a connection", async () => {
    using hole = await startBlackhole();
    const options = { breaker: BREAKER, outliers: OUTLIERS };
    await using setup = await open([spec("one", `http://127.0.0.1:${hole.port}`)], options);
    for (let i = 1; i <= 4; i++) {
      const { peer } = await setup.l4.connect();
      await eventually(() => setup.service.endpoints[0]?.pool.inFlight === 1, "the dial");
      peer.reset();
      expect((await setup.l4.ended(i)).error?.code).toBe("client_closed");
    }
    expect(state(setup)).toEqual(["closed", 0]);
  });

  test("counts against an endpoint that does not accept, and the other one is not blamed", async () => {
    await using well = startUpstream((connection) => connection.send("w"));
    const dead = spec("dead", `http://127.0.0.1:${closedPort()}`);
    await using setup = await open([dead, spec("well", well.url)], { outliers: OUTLIERS });
    for (let i = 0; i < 6; i++) {
      const { peer } = await setup.l4.connect();
      expect((await peer.take(1)).toString()).toBe("w");
    }
    expect(state(setup)).toEqual([null, 1]);
  });

  test("has its observer hear of the end, once", async () => {
    await using well = startUpstream((connection) => connection.send("w"));
    const heard: string[] = [];
    const deps = serviceDeps(createStaticRegistry({ shop: [spec("well", well.url)] }));
    const service = createService("shop", serviceOptions({ breaker: BREAKER }), deps);
    await service.ready;
    const observer = { passageDone: () => void heard.push("done") };
    await using l4 = startPassthrough({
      onPassage(passage) {
        passage.observer = observer;
        service.connect(passage);
      },
    });
    const { peer } = await l4.connect();
    await peer.take(1);
    peer.reset();
    expect((await l4.ended()).observer).toBe(observer);
    expect(heard).toEqual(["done"]);
    service.close();
  });
});
