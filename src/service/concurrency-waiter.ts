import { Timer } from "../wire/timer-wheel.ts";
import type { Priority } from "./concurrency-options.ts";
import type { QueueItem } from "./concurrency-queue.ts";
import type { Ticket } from "./concurrency-ticket.ts";

export interface WaiterParts {
  readonly priority: Priority;
  readonly joinedAt: number;
  /** Its time is over; up to 100 ms late, as the wheel is. */
  readonly onOver: (waiter: Waiter) => void;
}

/** A request's place in a queue, with the time that it may wait. */
export class Waiter extends Timer implements QueueItem<Waiter> {
  readonly ticket: Ticket;
  readonly priority: Priority;
  readonly joinedAt: number;
  older: Waiter | null = null;
  newer: Waiter | null = null;
  readonly #onOver: (waiter: Waiter) => void;

  constructor(ticket: Ticket, { priority, joinedAt, onOver }: WaiterParts) {
    super();
    this.ticket = ticket;
    this.priority = priority;
    this.joinedAt = joinedAt;
    this.#onOver = onOver;
  }

  override fire(): void {
    this.#onOver(this);
  }
}
