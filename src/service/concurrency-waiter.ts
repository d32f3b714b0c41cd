import { Timer } from "../wire/timer-wheel.ts";
import type { Priority } from "./concurrency-options.ts";
import type { QueueItem } from "./concurrency-queue.ts";

export interface WaiterParts<Holder> {
  readonly priority: Priority;
  readonly joinedAt: number;
  /** Its time is over; up to 100 ms late, as the wheel is. */
  readonly onOver: (waiter: Waiter<Holder>) => void;
}

/** The place in a queue of whoever holds it, with the time that it may wait. */
export class Waiter<Holder> extends Timer implements QueueItem<Waiter<Holder>> {
  readonly ticket: Holder;
  readonly priority: Priority;
  readonly joinedAt: number;
  older: Waiter<Holder> | null = null;
  newer: Waiter<Holder> | null = null;
  readonly #onOver: (waiter: Waiter<Holder>) => void;

  constructor(ticket: Holder, { priority, joinedAt, onOver }: WaiterParts<Holder>) {
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
