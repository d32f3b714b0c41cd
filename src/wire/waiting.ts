import { GatewayError } from "../errors.ts";
import type { Attempt } from "./attempt.ts";
import { Timer, type TimerWheel } from "./timer-wheel.ts";

/** Attempts that wait for a connection when there may be no more of them. */
export const QUEUE_LIMIT = 1024;

/** How many may wait in several queues together, and how many do. */
export interface PendingBound {
  readonly limit: number;
  count: number;
}

const SENT_NOTHING = { sent: "nothing" } as const;

export interface WaitingOptions {
  readonly wheel: TimerWheel;
  /** So many may wait at once. */
  readonly limit: number;
  /** Bounds several queues together; null: nothing does. */
  readonly pending: PendingBound | null;
  /** Hears of those that gave up, whose client left, or that found the queue full. */
  readonly fail: (attempt: Attempt, error: GatewayError) => void;
}

/** Attempts that wait for a connection, the oldest first. Each waits as long as it would wait for a response. */
export class WaitingQueue {
  readonly #options: WaitingOptions;
  readonly #queue: Waiting[] = [];

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#queue.length;
  }

  add(attempt: Attempt): void {
    const { pending } = this.#options;
    if (pending !== null && pending.count >= pending.limit) {
      const detail = "Too many requests wait for this service.";
      this.#options.fail(attempt, new GatewayError("overloaded", detail, { ...SENT_NOTHING, retryAfter: 1 }));
      return;
    }
    if (this.#queue.length >= this.#options.limit) {
      this.#options.fail(
        attempt,
        new GatewayError("overloaded", "Too many requests wait for this endpoint.", SENT_NOTHING),
      );
      return;
    }
    const waiting: Waiting = new Waiting(attempt, (error) => this.#giveUp(waiting, error));
    this.#queue.push(waiting);
    if (pending !== null) pending.count++;
    attempt.asker.onGone = waiting.giveUp;
    this.#options.wheel.arm(waiting, attempt.timeouts.responseMs);
  }

  /** Takes out the oldest whose client is still there, or null. */
  next(): Attempt | null {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#uncount();
      // Left in the wheel it would keep the whole exchange alive until its time.
      this.#options.wheel.remove(next);
      if (!next.attempt.exchange.isDone) return next.attempt;
      this.#options.fail(next.attempt, clientLeft());
    }
    return null;
  }

  #giveUp(waiting: Waiting, error: GatewayError): void {
    const at = this.#queue.indexOf(waiting);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#uncount();
    this.#options.wheel.remove(waiting);
    this.#options.fail(waiting.attempt, error);
  }

  #uncount(): void {
    const { pending } = this.#options;
    if (pending !== null) pending.count--;
  }
}

function clientLeft(): GatewayError {
  return new GatewayError("client_closed", "The client left before a connection was there.", SENT_NOTHING);
}

/** An attempt that waits for a connection, and its patience. */
class Waiting extends Timer {
  readonly attempt: Attempt;
  readonly giveUp: (error: GatewayError) => void;

  constructor(attempt: Attempt, giveUp: (error: GatewayError) => void) {
    super();
    this.attempt = attempt;
    this.giveUp = giveUp;
  }

  override fire(): void {
    this.giveUp(new GatewayError("upstream_timeout", "No connection became free in time.", SENT_NOTHING));
  }
}
