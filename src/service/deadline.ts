import { GatewayError, toGatewayError } from "../errors.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import { requestTimeoutMs, tellsTimeout } from "../wire/request-timeout.ts";
import { Timer, type TimerWheel } from "../wire/timer-wheel.ts";

/**
 * Bounds the time until a response's head, whatever plugins and attempts do meanwhile: the route's from the request's
 * last byte, the client's own from the moment that it asked.
 */
class Deadline extends Timer {
  readonly #exchange: Exchange;
  readonly #wheel: TimerWheel;
  readonly #timeoutMs: number;

  constructor(exchange: Exchange, timeoutMs: number, wheel: TimerWheel) {
    super();
    this.#exchange = exchange;
    this.#timeoutMs = timeoutMs;
    this.#wheel = wheel;
    wheel.arm(this, Math.max(1, this.#leftMs()));
  }

  override fire(): void {
    const { isAnswered, isDone } = this.#exchange;
    if (isAnswered || isDone) return;
    const leftMs = this.#leftMs();
    if (leftMs > 0) this.#wheel.arm(this, leftMs);
    else if (clientLeftMs(this.#exchange) <= 0) this.#exchange.expire(clientsTimeIsOver(this.#exchange));
    else this.#exchange.expire(routesTimeIsOver());
  }

  #leftMs(): number {
    return Math.min(clientLeftMs(this.#exchange), this.#routeLeftMs());
  }

  #routeLeftMs(): number {
    const { requestEndedAt } = this.#exchange;
    if (this.#timeoutMs === 0) return Number.POSITIVE_INFINITY;
    // While the client still sends, the time has not begun to run.
    return requestEndedAt === 0 ? this.#timeoutMs : this.#timeoutMs - (now() - requestEndedAt);
  }
}

/**
 * Notes on the exchange when its client waits no longer, where it says so. Returns why the request is refused: what it
 * says is malformed, or over already; null when it is not.
 */
export function readDeadline(exchange: Exchange): GatewayError | null {
  if (!tellsTimeout(exchange.headers)) return null;
  try {
    const timeoutMs = requestTimeoutMs(exchange.headers);
    if (timeoutMs !== null) exchange.expiresAt = exchange.startedAt + timeoutMs;
    return timeoutMs === 0 ? clientsTimeIsOver(exchange) : null;
  } catch (error) {
    return toGatewayError(error);
  }
}

/** An endpoint is told whole milliseconds, rounded down, and its timers are its own. */
const EARLY_MS = 5;

/**
 * Says whether the client's own time is over, or so nearly that an endpoint that was told it may think so. What an
 * endpoint does then, such as to reset the call, is no fault of its.
 */
export function isClientsTimeOver(exchange: Exchange): boolean {
  return clientLeftMs(exchange) <= EARLY_MS;
}

/** How long the client still waits; infinity where it did not say. */
export function clientLeftMs({ expiresAt }: Exchange): number {
  return expiresAt === 0 ? Number.POSITIVE_INFINITY : expiresAt - now();
}

/**
 * Arms the deadline of an exchange, the route's (0 for none) or the client's own, whichever is first; there must be
 * one. To be removed when the exchange is done.
 */
export function armDeadline(exchange: Exchange, timeoutMs: number, wheel: TimerWheel): Timer {
  return new Deadline(exchange, timeoutMs, wheel);
}

function routesTimeIsOver(): GatewayError {
  return new GatewayError("upstream_timeout", "The route's timeout ran out.");
}

/** Nobody is to blame: else a client that waits for nothing could have endpoints ejected. */
function clientsTimeIsOver(exchange: Exchange): GatewayError {
  exchange.decided("deadline", "expired");
  return new GatewayError("upstream_timeout", "The time that the client waits ran out.", { source: "downstream" });
}
