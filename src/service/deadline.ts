import { GatewayError } from "../errors.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import { Timer, type TimerWheel } from "../wire/timer-wheel.ts";

/** Bounds the time from a request's last byte to its response's head, whatever plugins do meanwhile. */
class Deadline extends Timer {
  readonly #exchange: Exchange;
  readonly #wheel: TimerWheel;
  readonly #timeoutMs: number;

  constructor(exchange: Exchange, timeoutMs: number, wheel: TimerWheel) {
    super();
    this.#exchange = exchange;
    this.#timeoutMs = timeoutMs;
    this.#wheel = wheel;
    wheel.arm(this, timeoutMs);
  }

  override fire(): void {
    const { isAnswered, isDone, requestEndedAt } = this.#exchange;
    if (isAnswered || isDone) return;
    // While the client still sends, the time has not begun to run.
    const passedMs = requestEndedAt === 0 ? 0 : now() - requestEndedAt;
    if (passedMs < this.#timeoutMs) this.#wheel.arm(this, this.#timeoutMs - passedMs);
    else this.#exchange.expire(new GatewayError("upstream_timeout", "The route's timeout ran out."));
  }
}

/** Arms the deadline of a route for an exchange; null when it has none. To be removed when the exchange is done. */
export function armDeadline(exchange: Exchange, timeoutMs: number, wheel: TimerWheel): Timer | null {
  return timeoutMs > 0 ? new Deadline(exchange, timeoutMs, wheel) : null;
}
