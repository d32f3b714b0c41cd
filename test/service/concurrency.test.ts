import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { type Concurrency, createConcurrency } from "../../src/service/concurrency.ts";
import type { ConcurrencyOptions, Priority } from "../../src/service/concurrency-options.ts";
import type { Exchange } from "../../src/wire/exchange.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { exchangeOf } from "../wire/parts.ts";

interface Asked {
  readonly exchange: Exchange;
  /** What became of it: `in`, or the code of the error. */
  readonly outcomes: string[];
  /** Ends the exchange, as its connection does. */
  end(error?: GatewayError): void;
}

function setup(options: Partial<ConcurrencyOptions> = {}) {
  const clock = { ms: 1000 };
  const wheel = new TimerWheel(() => clock.ms);
  const told: string[] = [];
  const warnings: string[] = [];
  const concurrency = createConcurrency(
    { limit: 1, queue: { size: 4, timeoutMs: 500 }, ...options },
    {
      service: "shop",
      wheel,
      onWarning: (message, facts) => void warnings.push(`${message} ${JSON.stringify(facts)}`),
      hooks: {
        onWaited: (service, priority, waitedMs) => void told.push(`${service} ${priority} waited ${waitedMs}`),
        onShed: (service, reason) => void told.push(`${service} ${reason}`),
      },
      nowMs: () => clock.ms,
    },
  );
  if (concurrency === null) throw new Error("there is no limit");
  const pass = (ms: number) => {
    clock.ms += ms;
    wheel.advance();
  };
  return { clock, wheel, told, warnings, concurrency, pass, ask: asker(concurrency) };
}

function asker(concurrency: Concurrency) {
  return (priority: Priority = "normal", start: (exchange: Exchange) => void = () => {}): Asked => {
    const exchange = exchangeOf();
    const outcomes: string[] = [];
    concurrency.enter(exchange, {
      policy: { timeoutMs: 0, attemptTimeoutMs: null, priority, retry: null },
      receiver: { onResponse() {}, onFailure: (_, { code }) => void outcomes.push(code) },
      start(one) {
        outcomes.push("in");
        start(one);
      },
    });
    return {
      exchange,
      outcomes,
      end(error) {
        if (error !== undefined) exchange.gone(error);
        exchange.isDone = true;
        exchange.observer?.exchangeDone(exchange);
      },
    };
  };
}

const LEFT = new GatewayError("client_closed", "The client closed the connection.");

describe("a service's limit", () => {
  test("is none for a service that asks for none", () => {
    const deps = { service: "shop", wheel: new TimerWheel(), onWarning() {}, hooks: undefined };
    expect(createConcurrency(null, deps)).toBeNull();
  });

  test("lets the next in when one is answered whole, and counts how long that waited", () => {
    const { ask, pass, told, concurrency } = setup();
    const [first, second] = [ask(), ask()];
    expect([first.outcomes, second.outcomes]).toEqual([["in"], []]);
    expect([concurrency.inFlight, concurrency.waiting("normal")]).toEqual([1, 1]);
    pass(120);
    first.end();
    expect(second.outcomes).toEqual(["in"]);
    expect(second.exchange.decisions).toEqual([{ policy: "concurrency", outcome: "queued", about: "120ms" }]);
    expect(first.exchange.decisions).toBeNull();
    expect(told).toEqual(["shop normal waited 120"]);
    second.end();
    expect(concurrency.inFlight).toBe(0);
  });

  test("sheds what is beyond it at once where no queue is kept", () => {
    const { ask, told, warnings } = setup({ queue: null });
    ask();
    const shed = ask("high");
    ask();
    expect(shed.outcomes).toEqual(["overloaded"]);
    expect(shed.exchange.decisions).toEqual([{ policy: "concurrency", outcome: "limit", about: null }]);
    expect(told).toEqual(["shop limit", "shop limit"]);
    expect(warnings).toEqual([
      'requests shed: the service has all that it can do {"service":"shop","reason":"limit","limit":"1"}',
    ]);
  });

  test("sheds who has waited for too long, and tells when to come again", () => {
    const { ask, pass, told, concurrency } = setup();
    ask();
    const late = ask();
    pass(600);
    expect(late.outcomes).toEqual(["overloaded"]);
    expect(told).toEqual(["shop queue_timeout"]);
    expect(concurrency.waiting("normal")).toBe(0);
  });

  test("does not serve who has waited for too long, even before that is noticed", () => {
    const { ask, clock, told } = setup();
    const first = ask();
    const late = ask();
    clock.ms += 501;
    first.end();
    expect(late.outcomes).toEqual(["overloaded"]);
    expect(told).toEqual(["shop queue_timeout"]);
  });

  test("lets the more important displace others, and serves them first", () => {
    const { ask, told } = setup({ queue: { size: 2, timeoutMs: 500 } });
    const first = ask();
    const [low, normal] = [ask("low"), ask("normal")];
    const high = ask("high");
    expect(low.outcomes).toEqual(["overloaded"]);
    expect(ask("low").outcomes).toEqual(["overloaded"]);
    first.end();
    expect([high.outcomes, normal.outcomes]).toEqual([["in"], []]);
    expect(told).toEqual(["shop displaced", "shop queue_full", "shop high waited 0"]);
  });

  test("forgets a client that leaves while it waits, blames nobody and lets the next in", () => {
    const { ask, told, concurrency, pass } = setup();
    const first = ask();
    const [gone, next] = [ask(), ask()];
    gone.end(LEFT);
    expect(gone.outcomes).toEqual(["client_closed"]);
    expect(gone.exchange.decisions).toEqual([{ policy: "concurrency", outcome: "gave_up", about: null }]);
    expect(concurrency.waiting("normal")).toBe(1);
    first.end();
    expect(next.outcomes).toEqual(["in"]);
    pass(2000);
    expect(gone.outcomes).toEqual(["client_closed"]);
    expect(told).toEqual(["shop normal waited 0"]);
  });

  test("gives back the place of a client that leaves while it is served, once", () => {
    const { ask, concurrency } = setup();
    ask().end(LEFT);
    expect(concurrency.inFlight).toBe(0);
    expect(ask().outcomes).toEqual(["in"]);
  });

  test("goes on where what it lets in ends in the same turn, however many do", () => {
    const { ask, concurrency } = setup({ queue: { size: 10_000, timeoutMs: 500 } });
    const first = ask();
    const endAtOnce = (exchange: Exchange) => {
      exchange.isDone = true;
      exchange.observer?.exchangeDone(exchange);
    };
    const others = Array.from({ length: 5000 }, () => ask("normal", endAtOnce));
    first.end();
    expect(others.every(({ outcomes }) => outcomes.join() === "in")).toBe(true);
    expect([concurrency.inFlight, concurrency.waiting("normal")]).toEqual([0, 0]);
  });

  test("keeps no timer of those that were let in", () => {
    const { ask, wheel, pass } = setup();
    const first = ask();
    const second = ask();
    first.end();
    second.end();
    pass(5000);
    wheel.advance();
    expect(second.outcomes).toEqual(["in"]);
  });
});
