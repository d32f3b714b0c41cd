import { GatewayError } from "../errors.ts";
import type { Receiver } from "../wire/attempt.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import { AdaptiveLimit, fixedLimit, type Limit } from "./concurrency-limit.ts";
import type { ConcurrencyOptions, Priority } from "./concurrency-options.ts";
import { ConcurrencyQueue } from "./concurrency-queue.ts";
import { type Start, Ticket, type TicketOwner } from "./concurrency-ticket.ts";
import { Waiter } from "./concurrency-waiter.ts";
import type { ForwardPolicy } from "./options.ts";

/** Why a request is not served: no queue is kept, it is full, its time in it ran out, or another displaced it. */
export type ShedReason = "limit" | "queue_full" | "queue_timeout" | "displaced";

/** Told of what becomes of requests beyond the limit. */
export interface ConcurrencyHooks {
  /** A request has waited and is served. */
  onWaited(service: string, priority: Priority, waitedMs: number): void;
  onShed(service: string, reason: ShedReason): void;
}

export interface ConcurrencyDeps {
  readonly service: string;
  readonly wheel: TimerWheel;
  readonly onWarning: (message: string, facts: Readonly<Record<string, string>>) => void;
  readonly hooks: ConcurrencyHooks | undefined;
  /** Milliseconds of the steady clock that exchanges have. */
  readonly nowMs?: () => number;
}

/** Lets as many requests into a service as it can do, and keeps some of the others waiting. */
export interface Concurrency {
  /** Requests that may be in flight. */
  readonly limit: number;
  /** Requests that were let in and are not answered whole. */
  readonly inFlight: number;
  /** Response time that the limit is judged by, ms; 0: not known, or the limit stays. */
  readonly baseMs: number;
  /** Requests of this priority that wait. */
  waiting(priority: Priority): number;
  /** Calls `start` when the request is let in, now or later, or else tells the receiver why it is not. */
  enter(exchange: Exchange, call: Call): void;
}

/** How a request goes on. */
export interface Call {
  readonly policy: ForwardPolicy;
  readonly receiver: Receiver;
  readonly start: Start;
}

/** The log says that requests are shed only so often. */
const AGAIN_MS = 60_000;

const DETAILS: Readonly<Record<ShedReason, string>> = {
  limit: "The service has as many requests as it can do.",
  queue_full: "The service has as many requests as it can do, and as many wait for it as may.",
  queue_timeout: "The service had no time for the request while it could wait.",
  displaced: "The service has too many requests, and more important ones.",
};

/** Null for a service that asks for no limit: it pays nothing. */
export function createConcurrency(options: ConcurrencyOptions | null, deps: ConcurrencyDeps): Concurrency | null {
  return options === null ? null : new Admission(options, deps);
}

class Admission implements Concurrency, TicketOwner {
  inFlight = 0;
  readonly #limit: Limit;
  readonly #queue: ConcurrencyQueue<Waiter<Ticket>> | null;
  readonly #timeoutMs: number;
  readonly #deps: ConcurrencyDeps;
  readonly #nowMs: () => number;
  #isServing = false;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor({ limit, queue }: ConcurrencyOptions, deps: ConcurrencyDeps) {
    const { nowMs = now } = deps;
    this.#deps = deps;
    this.#nowMs = nowMs;
    this.#limit = typeof limit === "number" ? fixedLimit(limit) : new AdaptiveLimit(limit, nowMs);
    this.#queue = queue === null ? null : new ConcurrencyQueue(queue, nowMs);
    this.#timeoutMs = queue?.timeoutMs ?? 0;
  }

  get limit(): number {
    return this.#limit.current;
  }

  get baseMs(): number {
    return this.#limit.baseMs;
  }

  waiting(priority: Priority): number {
    return this.#queue?.count(priority) ?? 0;
  }

  enter(exchange: Exchange, { policy, receiver, start }: Call): void {
    const ticket = new Ticket(exchange, { owner: this, policy, receiver, start });
    if (this.inFlight < this.#limit.current && (this.#queue === null || this.#queue.size === 0)) this.#letIn(ticket);
    else this.#keep(ticket, policy);
  }

  answered(tookMs: number): void {
    this.#limit.answered(tookMs, this.inFlight);
  }

  dropped(): void {
    this.#limit.dropped(this.inFlight);
  }

  left(): void {
    this.inFlight--;
    this.#limit.left(this.inFlight);
    this.serve();
  }

  gaveUp(waiter: Waiter<Ticket>): void {
    this.#queue?.remove(waiter);
    this.#deps.wheel.remove(waiter);
  }

  /** A waiter's time is over. */
  expired(waiter: Waiter<Ticket>): void {
    this.gaveUp(waiter);
    this.#shed(waiter.ticket, "queue_timeout");
  }

  #letIn(ticket: Ticket): void {
    this.inFlight++;
    ticket.letIn();
  }

  #keep(ticket: Ticket, { priority }: ForwardPolicy): void {
    this.#limit.held();
    if (this.#queue === null) {
      this.#shed(ticket, "limit");
      return;
    }
    const waiter = new Waiter(ticket, { priority, joinedAt: this.#nowMs(), onOver: (one) => this.expired(one) });
    const out = this.#queue.add(waiter);
    if (out === waiter) {
      this.#shed(ticket, "queue_full");
      return;
    }
    ticket.wait(waiter);
    this.#deps.wheel.arm(waiter, Math.max(1, Math.min(this.#timeoutMs, ticket.leftMs())));
    if (out !== null) {
      this.#deps.wheel.remove(out);
      this.#shed(out.ticket, "displaced");
    }
    // The limit may have risen just now, with nobody leaving who would tell.
    this.serve();
  }

  /** Lets in whose turn it is. What a request does that is let in may end another, and so come here again. */
  serve(): void {
    const queue = this.#queue;
    if (queue === null || queue.size === 0 || this.#isServing) return;
    this.#isServing = true;
    try {
      while (queue.size > 0 && this.inFlight < this.#limit.current) {
        const waiter = queue.take();
        if (waiter !== null) this.#takeOut(waiter);
      }
      if (queue.size > 0) this.#limit.held();
    } finally {
      this.#isServing = false;
    }
  }

  #takeOut(waiter: Waiter<Ticket>): void {
    const { ticket, priority, joinedAt, dueAt } = waiter;
    const nowMs = this.#nowMs();
    const isLate = nowMs >= dueAt;
    this.#deps.wheel.remove(waiter);
    if (isLate) {
      this.#shed(ticket, "queue_timeout");
      return;
    }
    const waitedMs = nowMs - joinedAt;
    ticket.exchange.decided("concurrency", "queued", `${Math.round(waitedMs)}ms`);
    this.#deps.hooks?.onWaited(this.#deps.service, priority, waitedMs);
    this.#letIn(ticket);
  }

  #shed(ticket: Ticket, reason: ShedReason): void {
    const { service, hooks, onWarning } = this.#deps;
    const nowMs = this.#nowMs();
    hooks?.onShed(service, reason);
    ticket.exchange.decided("concurrency", reason);
    if (nowMs - this.#toldAt >= AGAIN_MS) {
      this.#toldAt = nowMs;
      onWarning("requests shed: the service has all that it can do", { service, reason, limit: String(this.limit) });
    }
    ticket.refuse(
      ticket.leftMs() > 0
        ? new GatewayError("overloaded", DETAILS[reason], { retryAfter: 1 })
        : new GatewayError("upstream_timeout", "The route's timeout ran out in the service's queue.", {
            source: "gateway",
          }),
    );
  }
}
