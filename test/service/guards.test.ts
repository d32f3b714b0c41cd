import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { createStaticRegistry } from "../../src/registry/static.ts";
import type { ServiceOptions } from "../../src/service/options.ts";
import { createService, type Service } from "../../src/service/service.ts";
import { closedPort } from "../support/unreachable.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { exchangeOf } from "../wire/parts.ts";
import {
  breakerOptions,
  forward,
  outlierOptions,
  serviceDeps,
  serviceOptions,
  spec,
  type Warnings,
} from "./support.ts";

const OUTLIERS = outlierOptions({ consecutiveFailures: 2 });

const POLICY = { timeoutMs: 0, attemptTimeoutMs: null, priority: "normal" as const, retry: null };

const BREAKER = breakerOptions({ maxRequests: 1, maxPending: 1 });

async function serviceAt(url: string, options: Partial<ServiceOptions>, warnings: Warnings = []) {
  const service = createService(
    "shop",
    serviceOptions({ panicPercent: 0, ...options }),
    serviceDeps(createStaticRegistry({ shop: [spec("one", url)] }), warnings),
  );
  await service.ready;
  return Object.assign(Object.create(service) as Service, { [Symbol.dispose]: () => service.close() });
}

describe("a service without guards", () => {
  test("has none, and leaves the exchange's observer alone", async () => {
    using service = await serviceAt(`http://127.0.0.1:${closedPort()}`, {});
    expect(service.guards).toBeNull();
    expect((await forward(service)).exchange.observer).toBeNull();
  });
});

describe("outlier detection of a service", () => {
  test("ejects an endpoint that cannot be reached, and says so once", async () => {
    const warnings: Warnings = [];
    using service = await serviceAt(`http://127.0.0.1:${closedPort()}`, { outliers: OUTLIERS }, warnings);
    const outcomes: string[] = [];
    for (let i = 0; i < 4; i++) outcomes.push((await forward(service)).outcome);
    expect(outcomes).toEqual(["upstream_connect", "upstream_connect", "no_endpoint", "no_endpoint"]);
    expect(service.guards?.ejected).toBe(1);
    expect(warnings.filter((line) => line.startsWith("endpoint ejected"))).toEqual([
      'endpoint ejected {"service":"shop","endpoint":"one","cause":"consecutive_failures","for":"30s"}',
    ]);
  });

  test("blames nobody when clients leave", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
    });
    using service = await serviceAt(upstream.url, { outliers: OUTLIERS, breaker: { ...BREAKER, maxRequests: 10 } });
    for (let i = 0; i < 4; i++) expect(await leaving(service)).toBe("client_closed");
    expect([service.guards?.ejected, service.guards?.breakerState]).toEqual([0, "closed"]);
  });
});

describe("the circuit breaker of a service", () => {
  test("refuses requests over those in flight, until one of them is over", async () => {
    await using upstream = startAnswering(() => ok("well"));
    using service = await serviceAt(upstream.url, { breaker: BREAKER });
    const first = await forward(service);
    expect([first.outcome, (await forward(service)).outcome]).toEqual(["well", "overloaded"]);
    first.exchange.observer?.exchangeDone(first.exchange);
    expect((await forward(service)).outcome).toBe("well");
  });

  test.each(["http1", "h2c"] as const)(
    "refuses requests over those that wait for a connection: %s",
    async (protocol) => {
      await using upstream = startUpstream(async (connection) => {
        await connection.request();
      });
      const breaker = { ...BREAKER, maxRequests: 10 };
      using service = await serviceAt(upstream.url, { breaker, protocol, maxConnections: 1 });
      const waiting = protocol === "http1" ? 2 : 1;
      for (let i = 0; i < waiting; i++) void forward(service);
      const { error } = await forward(service);
      expect([error?.code, error?.retryAfter]).toEqual(["overloaded", 1]);
      expect(service.guards?.breakerState).toBe("closed");
    },
  );
});

describe("the end of a request", () => {
  test("judges its endpoint: a response that broke off is a failure", async () => {
    await using upstream = startAnswering(() => ok("well"));
    using service = await serviceAt(upstream.url, { outliers: OUTLIERS });
    for (let i = 0; i < 2; i++) {
      const { exchange } = await forward(service);
      exchange.error = new GatewayError("upstream_reset", "It broke off.");
      exchange.observer?.exchangeDone(exchange);
    }
    expect(service.guards?.ejected).toBe(1);
  });
});

/** A request whose client leaves at once. */
function leaving(service: Service): Promise<string> {
  const exchange = exchangeOf();
  const { promise, resolve } = Promise.withResolvers<string>();
  service.forward(exchange, POLICY, {
    onResponse: () => resolve("answered"),
    onFailure: (_, error) => resolve(error.code),
  });
  exchange.gone(new GatewayError("client_closed", "The client left."));
  return promise;
}
