import { describe, expect, test } from "bun:test";
import type { GatewayError } from "../../src/errors.ts";
import { armDeadline, clientLeftMs, readDeadline } from "../../src/service/deadline.ts";
import type { Exchange } from "../../src/wire/exchange.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { exchangeOf } from "../wire/parts.ts";

const asking = (...fields: readonly string[]): Exchange =>
  exchangeOf({ lines: ["GET / HTTP/1.1", "Host: a", ...fields] });

describe("what a client says of its deadline", () => {
  test("is an instant, counted from its request's head", () => {
    const exchange = asking("X-Request-Timeout: 2");
    expect(readDeadline(exchange)).toBeNull();
    expect(exchange.expiresAt).toBe(exchange.startedAt + 2000);
    expect(clientLeftMs(exchange)).toBeLessThanOrEqual(2000);
  });

  test("is none where it says nothing, or more than anybody waits", () => {
    for (const exchange of [asking(), asking("grpc-timeout: 99999999H")]) {
      expect([readDeadline(exchange), exchange.expiresAt, clientLeftMs(exchange)]).toEqual([
        null,
        0,
        Number.POSITIVE_INFINITY,
      ]);
    }
  });

  test("refuses the request when it is over, which is its own fault, or when nobody can read it", () => {
    const over = readDeadline(asking("X-Request-Timeout: 0"));
    expect([over?.code, over?.source]).toEqual(["upstream_timeout", "downstream"]);
    expect(readDeadline(asking("X-Request-Timeout: soon"))?.code).toBe("bad_request");
  });
});

describe("a deadline", () => {
  interface Armed {
    readonly exchange: Exchange;
    readonly refusals: readonly GatewayError[];
    /** Moves the wheel's clock by so much. */
    pass(ms: number): void;
  }

  function arm(timeoutMs: number, expiresAt: number): Armed {
    const refusals: GatewayError[] = [];
    const exchange = exchangeOf({ responder: { refuse: (_, error) => void refusals.push(error) } });
    exchange.expiresAt = expiresAt;
    let clock = 1000;
    const wheel = new TimerWheel(() => clock);
    armDeadline(exchange, timeoutMs, wheel);
    return {
      exchange,
      refusals,
      pass(ms) {
        clock += ms;
        wheel.advance();
      },
    };
  }

  test("of the client's blames nobody", () => {
    const { exchange, refusals, pass } = arm(60_000, performance.now() - 1);
    const told: GatewayError[] = [];
    exchange.onGone = (error) => void told.push(error);
    pass(200);
    expect(refusals.map(({ code, source }) => [code, source])).toEqual([["upstream_timeout", "downstream"]]);
    expect(told).toEqual([...refusals]);
  });

  test("of the route's is the endpoint's fault", () => {
    const { exchange, refusals, pass } = arm(50, performance.now() + 60_000);
    exchange.requestEndedAt = performance.now() - 100;
    pass(200);
    expect(refusals.map(({ code, source }) => [code, source])).toEqual([["upstream_timeout", "upstream"]]);
  });

  test("of the client's runs while it still sends, and the route's does not", () => {
    const route = arm(50, 0);
    route.pass(10_000);
    expect(route.refusals).toEqual([]);
    const client = arm(50, performance.now() - 1);
    client.pass(10_000);
    expect(client.refusals).toHaveLength(1);
  });

  test("says nothing once an answer is on its way", () => {
    const { exchange, refusals, pass } = arm(0, performance.now() - 1);
    exchange.isAnswered = true;
    pass(10_000);
    expect(refusals).toEqual([]);
  });
});
