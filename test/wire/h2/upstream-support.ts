import type { GatewayError } from "../../../src/errors.ts";
import type { Attempt, AttemptTimeouts, UpstreamResponse } from "../../../src/wire/attempt.ts";
import type { BodySink, BodySource } from "../../../src/wire/body.ts";
import type { PoolOptions } from "../../../src/wire/endpoint-pool.ts";
import type { Exchange, ResponseHead } from "../../../src/wire/exchange.ts";
import { H2Pool } from "../../../src/wire/h2/upstream-pool.ts";
import type { HeaderList } from "../../../src/wire/header-list.ts";
import { TimerWheel } from "../../../src/wire/timer-wheel.ts";
import { exchangeOf, RecordingSink } from "../parts.ts";

/** What an attempt came to: `200 text`, with trailers behind it; or the code and `sent` of the error. */
export type Outcome = string | readonly [code: string, sent: string | null];

export interface Asked {
  readonly outcome: Promise<Outcome>;
  /** Resolves with the response when its head is there; never if it fails before. */
  readonly response: Promise<UpstreamResponse>;
  readonly attempt: Attempt;
  /** Interim responses that were passed on. */
  readonly interim: readonly ResponseHead[];
}

export interface Asking {
  readonly line?: string;
  readonly fields?: readonly string[];
  readonly body?: BodySource | null;
  readonly timeouts?: AttemptTimeouts;
  readonly prepare?: (exchange: Exchange) => void;
  /** The response's body is left to the test. */
  readonly leavesBody?: boolean;
}

export const TIMEOUTS: AttemptTimeouts = { responseMs: 5000, idleMs: 5000 };

/** A request on its way; the outcome waits for the response's last byte. */
export function start(pool: H2Pool, asking: Asking = {}): Asked {
  const { line = "GET / HTTP/1.1", fields = [], body = null, timeouts = TIMEOUTS } = asking;
  const { promise: outcome, resolve } = Promise.withResolvers<Outcome>();
  const { promise: response, resolve: responded } = Promise.withResolvers<UpstreamResponse>();
  const failed = (error: GatewayError) => resolve([error.code, error.sent]);
  const interim: ResponseHead[] = [];
  const responder = { inform: (_: unknown, head: ResponseHead) => void interim.push(head) };
  const receiver = {
    onResponse(_: unknown, it: UpstreamResponse) {
      responded(it);
      const { status } = it.head;
      if (it.body === null || it.body instanceof Uint8Array) resolve(`${status} ${it.body ?? "(none)"}`);
      else if (asking.leavesBody !== true) {
        const sink = new RecordingSink();
        sink.end = (trailers) => resolve(`${status} ${sink.text}${trailersText(trailers)}`);
        sink.fail = failed;
        it.body.pipe(sink);
      }
    },
    onFailure: (_: unknown, error: GatewayError) => failed(error),
  };
  const exchange = exchangeOf({ lines: [line, "Host: gw.test", ...fields], body, responder });
  asking.prepare?.(exchange);
  const attempt = { exchange, asker: exchange, receiver, timeouts, authority: "endpoint.test" };
  pool.send(attempt);
  return { outcome, response, attempt, interim };
}

export function ask(pool: H2Pool, asking: Asking = {}): Promise<Outcome> {
  return start(pool, asking).outcome;
}

function trailersText(trailers: HeaderList | null): string {
  return trailers === null ? "" : ` [${trailers.lines.join(", ")}]`;
}

/** A request's body in the test's hands. */
export class TestBody implements BodySource {
  readonly length: number | null;
  sink: BodySink | null = null;
  isPaused = false;
  isCancelled = false;
  readonly #piped = Promise.withResolvers<BodySink>();
  readonly #resumed: (() => void)[] = [];

  constructor(length: number | null = null) {
    this.length = length;
  }

  /** Resolves when somebody takes the body. */
  get piped(): Promise<BodySink> {
    return this.#piped.promise;
  }

  pipe(sink: BodySink): void {
    this.sink = sink;
    this.#piped.resolve(sink);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    for (const resolve of this.#resumed.splice(0)) resolve();
  }

  /** The next call of `resume`. */
  resumed(): Promise<void> {
    return new Promise((resolve) => void this.#resumed.push(resolve));
  }

  cancel(): void {
    this.isCancelled = true;
  }
}

let nowMs = 1000;
let pools: H2Pool[] = [];

/** A pool on a wheel whose clock moves only by `pass`. */
export function openPool(port: number, options: Partial<PoolOptions> = {}) {
  const wheel = new TimerWheel(() => nowMs);
  const place = { hostname: "127.0.0.1", port, wheel, tls: null };
  const pool = new H2Pool({ ...place, connectMs: 1000, idleMs: 60_000, maxConnections: 0, ...options });
  pools.push(pool);
  const pass = (ms: number) => {
    nowMs += ms + 100;
    wheel.advance();
  };
  return { pool, pass };
}

/** To be called after each test. */
export function closePools(): void {
  for (const pool of pools) pool.close();
  pools = [];
}
