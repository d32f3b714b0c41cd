import { createConcurrency } from "../src/service/concurrency.ts";
import type { AdaptiveOptions, ConcurrencyOptions } from "../src/service/concurrency-options.ts";
import type { Ticket } from "../src/service/concurrency-ticket.ts";
import type { ForwardPolicy } from "../src/service/options.ts";
import type { Receiver } from "../src/wire/attempt.ts";
import type { Exchange, ExchangeObserver, ResponseHead } from "../src/wire/exchange.ts";
import { headerList } from "../src/wire/header-list.ts";
import { TimerWheel } from "../src/wire/timer-wheel.ts";

const REQUESTS = 200_000;
const ROUNDS = 15;
/** Requests that wait meanwhile, where some do. */
const WAITING = 200;

const ADAPTIVE: AdaptiveOptions = {
  initial: 1000,
  min: 8,
  max: 1000,
  intervalMs: 100,
  percentile: 0.5,
  tolerance: 1.5,
  smoothing: 0.2,
  minRttIntervalMs: 30_000,
};
const POLICY: ForwardPolicy = { timeoutMs: 0, attemptTimeoutMs: null, priority: "normal", retry: null };
const RECEIVER: Receiver = { onResponse() {}, onFailure() {} };
const HEAD: ResponseHead = { status: 200, reason: "OK", headers: headerList([["Content-Type", "text/plain"]]) };

/** As much of an exchange as a limit looks at. */
class Asking {
  observer: ExchangeObserver | null = null;
  onGone: ((reason: Error) => void) | null = null;
  readonly requestEndedAt = 0;
  readonly expiresAt = 0;
  readonly error = null;
  decided(): void {}
}

/** Nanoseconds for a request from the question whether it may go on to its end, the least of several rounds. */
function nanosPerRequest(options: ConcurrencyOptions, waiting: number): number {
  const concurrency = createConcurrency(options, {
    service: "shop",
    wheel: new TimerWheel(),
    onWarning() {},
    hooks: undefined,
  });
  if (concurrency === null) throw new Error("no limit to measure");
  const inside: Exchange[] = [];
  const start = (exchange: Exchange, _: ForwardPolicy, ticket: Ticket) => {
    ticket.attemptAnswered(HEAD, performance.now() - 5);
    ticket.onResponse(exchange, { head: HEAD, body: null });
    inside.push(exchange);
  };
  const ask = () => {
    // The rest of an exchange costs the same with a limit and without.
    const exchange = new Asking() as unknown as Exchange;
    concurrency.enter(exchange, { policy: POLICY, receiver: RECEIVER, start });
  };
  for (let i = 0; i < waiting; i++) ask();
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = Bun.nanoseconds();
    for (let i = 0; i < REQUESTS; i++) {
      ask();
      const exchange = inside.shift();
      exchange?.observer?.exchangeDone(exchange);
    }
    least = Math.min(least, (Bun.nanoseconds() - startedAt) / REQUESTS);
  }
  return least;
}

const QUEUE = { size: 4 * WAITING, timeoutMs: 600_000 };
const rows: readonly (readonly [name: string, options: ConcurrencyOptions, waiting: number])[] = [
  ["fixed, room for all", { limit: 1000, queue: null }, 0],
  ["adaptive, room for all", { limit: ADAPTIVE, queue: null }, 0],
  ["fixed, all wait for their turn", { limit: 1, queue: QUEUE }, WAITING],
];
console.log("limit                              ns a request");
for (const [name, options, waiting] of rows) {
  console.log(`${name.padEnd(32)} ${nanosPerRequest(options, waiting).toFixed(0).padStart(14)}`);
}
