import { now as eventTime } from "./event.ts";

/** A deadline that can be moved for the price of an assignment. Made by its owner, once; `fire` is called when due. */
export abstract class Timer {
  /** Instant on the wheel's clock, in ms; 0 when off. */
  dueAt = 0;
  slot = -1;
  /** Instant at which its slot comes up. */
  slotAt = 0;
  previous: Timer | null = null;
  next: Timer | null = null;

  /** Called once per arming, never before it is due; may arm again. */
  abstract fire(): void;
}

const SLOTS = 512;
const TICK_MS = 50;

/**
 * One coarse clock for all deadlines: a timer fires up to two ticks (100 ms) late, never early.
 * Arming and disarming cost O(1) and allocate nothing. The interval runs only while timers are armed.
 */
export class TimerWheel {
  readonly #slots: (Timer | null)[] = new Array<Timer | null>(SLOTS).fill(null);
  readonly #now: () => number;
  #armed = 0;
  #tick = 0;
  #interval: ReturnType<typeof setInterval> | null = null;

  /** `now` gives milliseconds on any steady clock. */
  constructor(now: () => number = eventTime) {
    this.#now = now;
  }

  /** Sets or moves the deadline to `ms` from now; 0 or less disarms. */
  arm(timer: Timer, ms: number): void {
    if (ms <= 0) {
      this.disarm(timer);
      return;
    }
    const now = this.#now();
    timer.dueAt = now + ms;
    // Behind its slot's time it may stay there: when the slot comes up it is moved on. So progress costs an assignment.
    if (timer.slot >= 0 && timer.dueAt >= timer.slotAt) return;
    if (timer.slot >= 0) this.#unlink(timer);
    this.#link(timer, now);
  }

  /** Lets it not fire. It stays in its slot until that comes up, as most timers are armed again before. */
  disarm(timer: Timer): void {
    timer.dueAt = 0;
  }

  /** Lets go of a timer whose owner is gone. */
  remove(timer: Timer): void {
    timer.dueAt = 0;
    if (timer.slot >= 0) this.#unlink(timer);
  }

  /** Fires all that is due. Called by the wheel's own interval; tests that move time call it themselves. */
  advance(): void {
    const now = this.#now();
    const target = Math.floor(now / TICK_MS);
    const steps = Math.min(target - this.#tick, SLOTS);
    for (let i = 1; i <= steps; i++) this.#sweep((target - steps + i) % SLOTS, now);
    this.#tick = target;
    // Looked at once a tick: under load the count touches zero thousands of times a second.
    if (this.#armed === 0) this.#stop();
  }

  #sweep(slot: number, now: number): void {
    let timer = this.#slots[slot] ?? null;
    const due: Timer[] = [];
    while (timer !== null) {
      const { next } = timer;
      this.#unlink(timer);
      if (timer.dueAt > now) this.#link(timer, now);
      else if (timer.dueAt > 0) due.push(timer);
      timer = next;
    }
    for (const one of due) {
      if (one.slot >= 0 || one.dueAt === 0) continue;
      one.dueAt = 0;
      one.fire();
    }
  }

  #link(timer: Timer, now: number): void {
    if (this.#interval === null) this.#start(now);
    // A deadline beyond the horizon waits in the last slot and is moved on from there.
    const ticks = Math.min(Math.ceil(timer.dueAt / TICK_MS), Math.floor(now / TICK_MS) + SLOTS - 1);
    const slot = Math.max(ticks, this.#tick + 1) % SLOTS;
    const head = this.#slots[slot] ?? null;
    timer.slot = slot;
    timer.slotAt = Math.max(ticks, this.#tick + 1) * TICK_MS;
    timer.previous = null;
    timer.next = head;
    if (head !== null) head.previous = timer;
    this.#slots[slot] = timer;
    this.#armed++;
  }

  #unlink(timer: Timer): void {
    const { previous, next, slot } = timer;
    if (previous === null) this.#slots[slot] = next;
    else previous.next = next;
    if (next !== null) next.previous = previous;
    timer.previous = null;
    timer.next = null;
    timer.slot = -1;
    this.#armed--;
  }

  #start(now: number): void {
    this.#tick = Math.floor(now / TICK_MS);
    this.#interval = setInterval(() => this.advance(), TICK_MS);
    // A deadline alone keeps no process alive.
    this.#interval.unref();
  }

  #stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }
}
