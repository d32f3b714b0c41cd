import type { Clock } from "../../src/limit/clock.ts";
import type { LimitSpec, Limits } from "../../src/limit/limit.ts";
import { createLimits } from "../../src/limit/limits.ts";
import { createMemoryState } from "../../src/store/memory-state.ts";
import { scriptReply } from "../../src/store/script-reply.ts";
import type { ScriptCall, Store, StoreScript, Wait } from "../../src/store/store.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { seededRandom } from "../support/chance.ts";

/** Numbers from 0 to 1 that a seed decides, unlike those of the seeds beside it. */
export function chance(seed: number): () => number {
  return seededRandom((seed * 0x9e3779b9 + 0x7f4a7c15) >>> 0);
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  isOff: boolean;
}

/** True time, and what happens in it. */
export class Timeline {
  nowMs = 0;
  #order = 0;
  readonly #heap: Event[] = [];

  at(atMs: number, run: () => void): Event {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run, isOff: false };
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
    return event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const [top] = heap;
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) child++;
      const least = heap[child];
      if (least === undefined || !isBefore(least, last)) break;
      heap[i] = least;
      i = child;
    }
    heap[i] = last;
    return top;
  }

  /** Lets all happen that is to happen until then. */
  async run(untilMs: number): Promise<void> {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#pop();
      if (next.isOff) continue;
      this.nowMs = next.atMs;
      next.run();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.nowMs = untilMs;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A Redis with a clock of its own, whose scripts are the memory twins. */
export class SimRedis {
  readonly #timeline: Timeline;
  clockMs = 1_700_000_000_000;
  #state;
  #saved: (() => void) | null = null;
  calls = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
    this.#state = createMemoryState(() => this.clockMs + timeline.nowMs);
  }

  run<T>(script: StoreScript<T>, call: ScriptCall): T {
    this.calls++;
    this.#state.begin();
    try {
      return script.result(scriptReply(script.memory(this.#state, call)));
    } finally {
      this.#state.settle();
    }
  }

  /** What a replica would have, of the keys that are named. */
  save(keys: readonly string[]): void {
    this.#state.begin();
    const held = keys
      .filter((key) => this.#state.has(key))
      .map((key) => [key, new Map(this.#state.hash(key))] as const);
    this.#saved = () => {
      this.#state.clear();
      this.#state.begin();
      for (const [key, values] of held) {
        const hash = this.#state.hash(key);
        for (const [field, value] of values) hash.set(field, value);
        this.#state.expire(key, 3_600_000);
      }
    };
  }

  /** Becomes that replica; one that was never saved is empty. */
  failOver(): void {
    if (this.#saved === null) this.#state.clear();
    else this.#saved();
  }

  get timeline(): Timeline {
    return this.#timeline;
  }
}

export interface Network {
  /** Milliseconds one way. */
  latencyMs: () => number;
  /** Chance that a message is lost. */
  lossRate: number;
}

/** A gateway in a world: a clock that may be wrong, a network that may fail, a process that may stand still or die. */
export class SimGateway {
  readonly id: string;
  readonly #redis: SimRedis;
  readonly #network: Network;
  readonly #random: () => number;
  readonly #skewMs: number;
  readonly #drift: number;
  isCut = false;
  /** The connection is known to be lost: calls fail at once. */
  isAway = false;
  isDead = false;
  #pausedUntil = 0;
  #run = 0;
  limits: Limits;

  constructor(id: string, world: { redis: SimRedis; network: Network; random: () => number }) {
    this.id = id;
    this.#redis = world.redis;
    this.#network = world.network;
    this.#random = world.random;
    this.#skewMs = world.random() * 1e6;
    this.#drift = 1 + (world.random() - 0.5) * 0.001;
    this.limits = this.#create();
  }

  get #timeline(): Timeline {
    return this.#redis.timeline;
  }

  #create(): Limits {
    const run = `${this.id}r${this.#run++}`;
    return createLimits({
      store: this.#store(run),
      gateway: this.id,
      // Who starts while the store is away knows of no share: that excess is stated, and not looked for here.
      assumedGateways: Number.POSITIVE_INFINITY,
      clock: this.#clock(run),
      nextRun: () => run,
    });
  }

  get #runName(): string {
    return `${this.id}r${this.#run - 1}`;
  }

  /** Runs a step of this process: not while it stands still, and never once that run of it is dead. */
  #later(run: string, atMs: number, step: () => void) {
    const event = this.#timeline.at(atMs, () => {
      if (event.isOff || this.isDead || run !== this.#runName) return;
      if (this.#timeline.nowMs < this.#pausedUntil) {
        const again = this.#later(run, this.#pausedUntil, () => void (event.isOff || step()));
        void again;
        return;
      }
      step();
    });
    return event;
  }

  #clock(run: string): Clock {
    const nowMs = () => this.#timeline.nowMs * this.#drift + this.#skewMs;
    const after = (ms: number, step: () => void) => {
      const event = this.#later(run, this.#timeline.nowMs + ms / this.#drift, step);
      return () => {
        event.isOff = true;
      };
    };
    return { nowMs, after };
  }

  #store(run: string): Store {
    const gateway = this;
    const refuse = () => Promise.reject(new StoreError("unavailable", "not simulated"));
    return {
      get state() {
        return gateway.isAway ? "away" : "ready";
      },
      get: refuse,
      set: refuse,
      delete: refuse,
      compareAndSet: refuse,
      publish: refuse,
      subscribe() {},
      close: async () => {},
      script: (script, call, wait) => gateway.#script(run, { script, call, wait }),
    };
  }

  #script<T>(
    run: string,
    { script, call, wait }: { script: StoreScript<T>; call: ScriptCall; wait: Wait | undefined },
  ) {
    if (this.isAway) return Promise.reject(new StoreError("unavailable", "away"));
    const timeline = this.#timeline;
    return new Promise<T>((resolve, reject) => {
      const fail = () => reject(new StoreError("timed_out", "no answer", { mayHaveRun: true }));
      this.#later(run, timeline.nowMs + (wait?.timeoutMs ?? 500), fail);
      const isLost = () => this.isCut || this.#random() < this.#network.lossRate;
      if (isLost()) return;
      timeline.at(timeline.nowMs + this.#network.latencyMs(), () => {
        const result = this.#redis.run(script, call);
        if (isLost()) return;
        this.#later(run, timeline.nowMs + this.#network.latencyMs(), () => resolve(result));
      });
    });
  }

  pause(ms: number): void {
    this.#pausedUntil = this.#timeline.nowMs + ms;
  }

  get isPaused(): boolean {
    return this.#timeline.nowMs < this.#pausedUntil;
  }

  crash(): void {
    this.isDead = true;
  }

  restart(): void {
    this.isDead = false;
    this.limits = this.#create();
  }

  /** Asks for a key; what is admitted is told when it is. */
  ask(spec: LimitSpec, key: string, admitted: (cost: number) => void, cost = 1): void {
    if (this.isDead || this.isPaused) return;
    const run = this.#runName;
    const verdict = this.limits.limiter(spec).take(key, cost);
    if (!(verdict instanceof Promise)) {
      if (verdict.isAdmitted) admitted(cost);
      return;
    }
    void verdict.then(({ isAdmitted }) => {
      // A request that waits in a process that dies is not admitted.
      if (isAdmitted && !this.isDead && run === this.#runName) admitted(cost);
    });
  }
}

/** The most by which any interval exceeds its rate: what must not be above the burst. */
export class Meter {
  readonly #ratePerMs: number;
  #level = 0;
  #atMs = 0;
  most = 0;
  total = 0;

  constructor(ratePerMs: number) {
    this.#ratePerMs = ratePerMs;
  }

  add(atMs: number, cost: number): void {
    this.#level = Math.max(0, this.#level - (atMs - this.#atMs) * this.#ratePerMs) + cost;
    this.#atMs = atMs;
    this.most = Math.max(this.most, this.#level);
    this.total += cost;
  }
}

/** The best that anybody could do who knows all: a bucket without a network. */
export class Ideal {
  readonly #spec: LimitSpec;
  #tokens: number;
  #atMs = 0;
  total = 0;

  constructor(spec: LimitSpec) {
    this.#spec = spec;
    this.#tokens = spec.burst;
  }

  ask(atMs: number, cost = 1): void {
    const { limit, perMs, burst } = this.#spec;
    this.#tokens = Math.min(burst, this.#tokens + ((atMs - this.#atMs) * limit) / perMs);
    this.#atMs = atMs;
    if (this.#tokens < cost) return;
    this.#tokens -= cost;
    this.total += cost;
  }
}
