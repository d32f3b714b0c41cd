import type { Limit } from "../../src/service/concurrency-limit.ts";

/** A service that works at so many requests at once; others wait there in line. */
export interface SimulatedService {
  capacity: number;
  serviceMs: number;
  /** What a request's work takes, of `serviceMs`; exactly that unless given. */
  readonly spread?: (serviceMs: number) => number;
  /** Answers 503 at once to more than it works at. */
  readonly sheds?: boolean;
}

export interface SimulatedLoad {
  /** Clients that ask again as soon as they have their answer. */
  clients: number;
}

interface Busy {
  readonly beganAt: number;
  readonly endsAt: number;
}

/** Clients, a limit and a service on one clock of whole milliseconds. */
export class Simulation {
  nowMs = 0;
  inFlight = 0;
  answers = 0;
  drops = 0;
  readonly #service: SimulatedService;
  readonly #load: SimulatedLoad;
  #limit: Limit | null = null;
  #line: number[] = [];
  #busy: Busy[] = [];

  constructor(service: SimulatedService, load: SimulatedLoad) {
    this.#service = service;
    this.#load = load;
  }

  use(limit: Limit): void {
    this.#limit = limit;
  }

  /** Lets time pass, and gives the least, the mean and the most of the limit within it. */
  run(ms: number): {
    readonly least: number;
    readonly mean: number;
    readonly most: number;
    readonly perSecond: number;
  } {
    const limit = this.#limit;
    if (limit === null) throw new Error("no limit is in use");
    const seen: number[] = [];
    const before = this.answers;
    for (let i = 0; i < ms; i++) {
      this.#step(limit);
      seen.push(limit.current);
    }
    const mean = seen.reduce((sum, one) => sum + one, 0) / seen.length;
    return {
      least: Math.min(...seen),
      mean,
      most: Math.max(...seen),
      perSecond: ((this.answers - before) * 1000) / ms,
    };
  }

  #step(limit: Limit): void {
    this.nowMs++;
    const { sheds = false } = this.#service;
    this.#busy = this.#busy.filter((one) => {
      if (one.endsAt > this.nowMs) return true;
      this.answers++;
      limit.answered(this.nowMs - one.beganAt, this.inFlight);
      limit.left(--this.inFlight);
      return false;
    });
    this.#work();
    let refusals = 0;
    while (this.inFlight < Math.min(limit.current, this.#load.clients)) {
      if (sheds && this.#busy.length >= this.#service.capacity) {
        // One a millisecond for each request too many: as fast as it can be asked.
        if (++refusals > limit.current - this.#service.capacity) break;
        this.drops++;
        limit.dropped(this.inFlight + 1);
        continue;
      }
      this.inFlight++;
      this.#line.push(this.nowMs);
      this.#work();
    }
    if (this.#load.clients > limit.current) limit.held();
  }

  #work(): void {
    const { capacity, serviceMs, spread = (ms: number) => ms } = this.#service;
    while (this.#busy.length < capacity) {
      const beganAt = this.#line.shift();
      if (beganAt === undefined) return;
      this.#busy.push({ beganAt, endsAt: this.nowMs + Math.max(1, spread(serviceMs)) });
    }
  }
}
