import type { GatewayError } from "../../src/errors.ts";
import type { Attempt, AttemptTimeouts, UpstreamResponse } from "../../src/wire/attempt.ts";
import type { PoolOptions } from "../../src/wire/endpoint-pool.ts";
import { UpstreamPool } from "../../src/wire/pool.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { exchangeOf, RecordingSink } from "./parts.ts";

/** What an attempt came to: the text of the response, or the code and `sent` of the error. */
export type Outcome = string | readonly [code: string, sent: string | null];

export interface Sending {
  readonly outcome: Promise<Outcome>;
  readonly attempt: Attempt;
}

export const TIMEOUTS: AttemptTimeouts = { responseMs: 5000, idleMs: 5000 };

/** A request on its way; the outcome waits for the response's last byte. */
export function start(
  pool: UpstreamPool,
  { line = "GET / HTTP/1.1", timeouts = TIMEOUTS, isFresh = false, fields = [] as readonly string[] } = {},
): Sending {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const failure = (error: GatewayError) => resolve([error.code, error.sent]);
  const receiver = {
    onResponse(_: unknown, { head, body }: UpstreamResponse) {
      if (body === null) {
        resolve(`${head.status}`);
        return;
      }
      if (body instanceof Uint8Array) {
        resolve(Buffer.from(body).toString("latin1"));
        return;
      }
      const sink = new RecordingSink();
      sink.end = () => resolve(sink.text);
      sink.fail = failure;
      body.pipe(sink);
    },
    onFailure: (_: unknown, error: GatewayError) => failure(error),
  };
  const exchange = exchangeOf({ lines: [line, "Host: gw.test", ...fields] });
  const attempt = { exchange, asker: exchange, receiver, timeouts, authority: "endpoint.test" };
  pool.send(attempt, isFresh);
  return { outcome: promise, attempt };
}

export const ask = (pool: UpstreamPool, options = {}): Promise<Outcome> => start(pool, options).outcome;

let nowMs = 1000;
let pools: UpstreamPool[] = [];

/** A pool on a wheel whose clock moves only by `pass`. */
export function openPool(port: number, options: Partial<PoolOptions> = {}) {
  const wheel = new TimerWheel(() => nowMs);
  const pool = new UpstreamPool({
    hostname: "127.0.0.1",
    port,
    connectMs: 1000,
    idleMs: 60_000,
    maxConnections: 0,
    wheel,
    tls: null,
    ...options,
  });
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

/** Answers each request with the number of its connection. */
export const startNumbered = (): Upstream => startAnswering((_, { index }) => ok(String(index)));

/** Answers as `startNumbered`, but only when told to: the number of calls says how many. */
export function startHeld() {
  const held: (() => void)[] = [];
  const upstream = startUpstream(async (connection) => {
    for (;;) {
      await connection.request(600_000);
      await new Promise<void>((resolve) => void held.push(resolve));
      await connection.send(ok(String(connection.index)));
    }
  });
  return { upstream, release: () => held.shift()?.() };
}
