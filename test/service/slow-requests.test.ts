import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { createAvailability } from "../../src/service/availability.ts";
import { createEndpoint } from "../../src/service/endpoint.ts";
import { createGuards } from "../../src/service/guards.ts";
import { Trial } from "../../src/service/trial.ts";
import { HeaderList } from "../../src/wire/header-list.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { exchangeOf } from "../wire/parts.ts";
import { breakerOptions, outlierOptions, serviceOptions, spec } from "./support.ts";

const OUTLIERS = outlierOptions();
const BREAKER = breakerOptions({ failureRate: 0.1, minRequests: 1, slowCallRate: 0.1, slowCallMs: 1000 });

function setup() {
  const wheel = new TimerWheel();
  const availability = createAvailability(() => {});
  const hooks = { onEjected() {}, onReturned() {}, onChanged() {}, onRefused() {}, onNotice() {} };
  const options = serviceOptions({ outliers: OUTLIERS, breaker: BREAKER });
  const guards = createGuards(options, { service: "shop", wheel, availability, hooks, onWarning() {} });
  const tls = () => {
    throw new Error("no TLS here");
  };
  const deps = { wheel, tls, pending: null };
  const endpoint = createEndpoint(spec("one", "http://127.0.0.1:9"), options, deps);
  const exchange = exchangeOf();
  const trial = guards?.enter(exchange);
  if (guards === null || endpoint === null || !(trial instanceof Trial)) throw new Error("no trial");
  guards.update([endpoint]);
  return {
    exchange,
    trial,
    endpoint,
    judged: () => [guards.ejected, guards.breakerState],
    [Symbol.dispose]: () => guards.close(),
  };
}

const head = (status: number) => ({ status, reason: "", headers: new HeaderList() });
const reset = () => new GatewayError("upstream_reset", "The upstream reset the connection.");

describe("an endpoint whose client has sent for five seconds, and is not done", () => {
  const longAgo = () => performance.now() - 5001;

  test("is not to blame when it breaks off or says 500: its patience may be over", () => {
    for (const isReset of [true, false]) {
      using it = setup();
      if (isReset) it.trial.failed(it.endpoint, reset(), longAgo());
      else it.trial.answered(it.endpoint, head(500), longAgo());
      expect(it.judged()).toEqual([0, "closed"]);
    }
  });

  test("is to blame once all has come, and when it reads nothing", () => {
    for (const code of ["upstream_reset", "upstream_timeout"] as const) {
      using it = setup();
      if (code === "upstream_reset") it.exchange.requestEndedAt = performance.now();
      it.trial.failed(it.endpoint, new GatewayError(code, "It failed."), longAgo());
      expect(it.judged()).toEqual([1, "open"]);
    }
  });

  test("is not slow when it answers", () => {
    using it = setup();
    it.trial.answered(it.endpoint, head(200), longAgo());
    expect(it.judged()).toEqual([0, "closed"]);
  });
});

test("an endpoint that breaks off while a client sends is to blame before that", () => {
  using it = setup();
  it.trial.failed(it.endpoint, reset(), performance.now() - 1000);
  expect(it.judged()).toEqual([1, "open"]);
});
