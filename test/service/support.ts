import type { GatewayError } from "../../src/errors.ts";
import type { EndpointSpec, Registry } from "../../src/registry/registry.ts";
import type { BreakerOptions, ForwardPolicy, OutlierOptions, ServiceOptions } from "../../src/service/options.ts";
import type { Service, ServiceDeps } from "../../src/service/service.ts";
import type { UpstreamResponse } from "../../src/wire/attempt.ts";
import type { BodySource } from "../../src/wire/body.ts";
import type { Exchange, Responder } from "../../src/wire/exchange.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { exchangeOf, RecordingSink } from "../wire/parts.ts";

/** Options of a service with every default, but for what is given. */
export function serviceOptions(options: Partial<ServiceOptions> = {}): ServiceOptions {
  return {
    discover: "memory",
    endpoints: [],
    balancer: "round_robin",
    hashBy: null,
    slowStartMs: 0,
    panicPercent: 50,
    zone: null,
    maxLoad: null,
    health: null,
    maxConnections: 0,
    timeouts: { connectMs: 1000, responseMs: 3000, idleMs: 60_000 },
    protocol: "http1",
    tls: null,
    proxyProtocol: null,
    outliers: null,
    breaker: null,
    concurrency: null,
    ...options,
  };
}

/** Whoever fails once is ejected, but for what is given. */
export function outlierOptions(options: Partial<OutlierOptions> = {}): OutlierOptions {
  const times = { intervalMs: 10_000, ejectForMs: 30_000 };
  return { consecutiveFailures: 1, ...times, maxEjectedShare: 1, successRate: null, ...options };
}

/** A breaker that opens when half of two requests fail, but for what is given. */
export function breakerOptions(options: Partial<BreakerOptions> = {}): BreakerOptions {
  const bounds = { maxRequests: 10, maxPending: 10, minRequests: 2, failureRate: 0.5 };
  return { ...bounds, openForMs: 10_000, slowCallRate: null, slowCallMs: 0, ...options };
}

export function spec(id: string, url: string, weight = 1): EndpointSpec {
  return { id, url, weight };
}

/** A warning of a service, as one text. */
export type Warnings = string[];

/** What a service needs; time is real. */
export function serviceDeps(registry: Registry, warnings: Warnings = []): ServiceDeps {
  return {
    registry,
    wheel: new TimerWheel(),
    random: Math.random,
    onWarning: (message, facts) => void warnings.push(`${message} ${JSON.stringify(facts)}`),
  };
}

export interface Sending {
  readonly line?: string;
  /** Without Host, as HTTP/1.0 may. */
  readonly isNameless?: boolean;
  /** Field lines beside Host. */
  readonly fields?: readonly string[];
  readonly body?: BodySource | null;
  /** Who hears of interim responses. */
  readonly responder?: Partial<Responder>;
  readonly policy?: Partial<ForwardPolicy>;
}

export interface Forwarded {
  /** The response's text, its status where it has no body, or the code of the error. */
  readonly outcome: string;
  readonly error: GatewayError | null;
  readonly exchange: Exchange;
}

/** Sends one request through a service and waits for the end of its response. */
export function forward(service: Pick<Service, "forward">, sending: Sending = {}): Promise<Forwarded> {
  return startForward(service, sending).forwarded;
}

/** Sends one request through a service, and does not wait. */
export function startForward(service: Pick<Service, "forward">, sending: Sending = {}) {
  const line = sending.line ?? "GET / HTTP/1.1";
  const exchange = exchangeOf({
    lines: [line, ...(sending.isNameless === true ? [] : ["Host: gw.test"]), ...(sending.fields ?? [])],
    body: sending.body ?? null,
    ...(sending.responder === undefined ? {} : { responder: sending.responder }),
  });
  if (exchange.body === null) exchange.requestEndedAt = exchange.startedAt;
  const { promise, resolve } = Promise.withResolvers<Forwarded>();
  const failed = (error: GatewayError) => resolve({ outcome: error.code, error, exchange });
  service.forward(
    exchange,
    { timeoutMs: 0, attemptTimeoutMs: null, priority: "normal", retry: null, ...sending.policy },
    {
      onResponse(_, { head, body }: UpstreamResponse) {
        if (body === null) {
          resolve({ outcome: String(head.status), error: null, exchange });
          return;
        }
        if (body instanceof Uint8Array) {
          resolve({ outcome: Buffer.from(body).toString("latin1"), error: null, exchange });
          return;
        }
        const sink = new RecordingSink();
        sink.end = () => resolve({ outcome: sink.text, error: null, exchange });
        sink.fail = failed;
        body.pipe(sink);
      },
      onFailure: (_, error) => failed(error),
    },
  );
  return { exchange, forwarded: promise };
}
