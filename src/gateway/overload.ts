import type { Logger } from "pino";
import type { ReadyReason } from "../admin/status.ts";
import type { Config } from "../config/types.ts";
import type { Counter } from "../telemetry/family.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { AcceptGate } from "../wire/accept-gate.ts";
import { cgroupMemoryBytes, maxDescriptors, openDescriptors } from "./overload-signals.ts";
import { nextLevel, Shedder, type ShedLevel, type Signal } from "./shedder.ts";

/** Watches what the process needs to live, and says what is to be shed before that runs out. */
export interface Overload {
  readonly shedder: Shedder;
  /** True when accepting has rested for memory for more than `LONG_MS` without a break. */
  readonly isOverloaded: boolean;
  /** Puts other thresholds in force. */
  update(config: Pick<Config, "overload" | "limits" | "workers">): void;
  /** Looks at everything, on time. Called by its own timer; tests that move time call it themselves. */
  tick(): void;
  close(): void;
}

/** Where the numbers come from. */
export interface OverloadSources {
  /** Bytes of resident memory. */
  readonly resident: () => number;
  /** Bytes that the system allows; null for no bound. */
  readonly allowed: () => number | null;
  readonly openDescriptors: () => number;
  readonly maxDescriptors: () => number;
  /** Milliseconds of a steady clock. */
  readonly now: () => number;
  /** Gives memory back that nobody uses. */
  readonly collect: () => void;
}

export interface OverloadDeps {
  readonly gate: AcceptGate;
  /** Closes connections between requests. */
  readonly closeIdle: () => void;
  /** Breaks off connections whose clients let the most bytes wait, until so many are freed; returns their number. */
  readonly cutSlowest: (bytes: number) => number;
  readonly metrics: Pick<Metrics, "collect" | "counter">;
  readonly log: Logger;
  readonly random: () => number;
  /** The system's, unless given. */
  readonly sources?: OverloadSources;
}

export const SAMPLE_MS = 100;
/** Share of what the control group allows that is the threshold where the configuration names none. */
const OF_ALLOWED = 0.9;
/** What the limit on connections is to a threshold: between where `low` and where `normal` begin to be shed. */
const OF_CONNECTIONS = 0.89;
/** Share of the memory's threshold down to which connections are broken off. */
const OF_FULL = 0.95;
/** Weight of the newest lag: one long pause of the runtime's own is no overload. */
const NEWEST = 0.3;
/** Descriptors that are kept for files and for what else the process opens. */
const RESERVED_DESCRIPTORS = 64;
/** Connections between requests are closed so often under pressure. */
const RELIEF_MS = 1000;
/** Accepting that rests so long for memory is more than a burst. */
export const LONG_MS = 5000;
/** Memory is collected for no more than this share of the time. */
const OF_TIME = 1 / 20;

const SYSTEM: OverloadSources = {
  resident: () => process.memoryUsage.rss(),
  allowed: () => cgroupMemoryBytes(),
  openDescriptors,
  maxDescriptors: () => maxDescriptors(),
  now: () => performance.now(),
  collect: () => Bun.gc(true),
};

/** What a gateway is not ready for while that holds. */
export const OVERLOADED: ReadyReason = {
  code: "overloaded",
  detail: "New connections wait until memory is free.",
};

const SIGNALS = ["memory", "lag", "connections"] as const;
const NAMES = ["nothing", "low", "normal", "high"] as const;

/** Watches from now on. Nothing is watched against a threshold before the first `update`. */
export function createOverload(deps: OverloadDeps): Overload {
  const manager = new Manager(deps, deps.sources ?? SYSTEM);
  const timer = setInterval(() => manager.tick(), SAMPLE_MS);
  timer.unref();
  return {
    shedder: manager.shedder,
    get isOverloaded() {
      return manager.isOverloaded;
    },
    update: (config) => manager.update(config),
    tick: () => manager.tick(),
    close: () => clearInterval(timer),
  };
}

class Manager {
  readonly shedder: Shedder;
  readonly #deps: OverloadDeps;
  readonly #sources: OverloadSources;
  readonly #maxDescriptors: number;
  readonly #pressures: Record<Signal, number> = { memory: 0, lag: 0, connections: 0 };
  readonly #levels: Record<Signal, ShedLevel> = { memory: 0, lag: 0, connections: 0 };
  readonly #cut: Counter;
  #memoryBytes: number | null = null;
  #lagMs: number | null = null;
  #connections = Number.POSITIVE_INFINITY;
  #lag = 0;
  #tickedAt: number;
  #relievedAt: number;
  #collectsAt: number;
  #wasPaused = false;
  /** Since when accepting rests for memory; null while it does not. */
  #heldAt: number | null = null;

  constructor(deps: OverloadDeps, sources: OverloadSources) {
    const shed = deps.metrics.counter({
      name: "torii_requests_shed_total",
      help: "Requests that were refused under pressure, by their route's priority and the signal.",
      labels: ["priority", "reason"],
    });
    this.#cut = deps.metrics
      .counter({
        name: "torii_connections_cut_total",
        help: "Connections with slow readers that were broken off for memory.",
      })
      .of();
    this.shedder = new Shedder(deps.random, (priority, reason) => shed.of(priority, reason).add());
    this.#deps = deps;
    this.#sources = sources;
    this.#maxDescriptors = sources.maxDescriptors();
    this.#tickedAt = sources.now();
    this.#relievedAt = this.#tickedAt;
    this.#collectsAt = this.#tickedAt;
    this.shedder.look = () => this.#sample(sources.now());
    deps.metrics.collect({
      name: "torii_overload_pressure",
      help: "What is used of a threshold, which is 1, by signal.",
      labels: ["signal"],
      type: "gauge",
      read: () => SIGNALS.map((signal) => ({ labels: [signal], value: this.#pressures[signal] })),
    });
    deps.metrics.collect({
      name: "torii_accept_paused",
      help: "1 while new connections are left to the kernel's queue, 0 otherwise.",
      type: "gauge",
      read: () => [{ labels: [], value: deps.gate.isPaused ? 1 : 0 }],
    });
  }

  get isOverloaded(): boolean {
    return this.#heldAt !== null && this.#sources.now() - this.#heldAt > LONG_MS;
  }

  update({ overload, limits, workers }: Parameters<Overload["update"]>[0]): void {
    const allowed = this.#sources.allowed();
    // Workers share what is allowed.
    this.#memoryBytes = overload.memoryBytes ?? (allowed === null ? null : (allowed * OF_ALLOWED) / workers);
    this.#lagMs = overload.lagMs;
    this.#connections = limits.connections;
  }

  tick(): void {
    const now = this.#sources.now();
    this.#sample(now);
    this.#tickedAt = now;
  }

  #sample(now: number): void {
    this.shedder.dueAt = now + SAMPLE_MS;
    this.#measure(now);
    this.#judge();
    this.#openGate(now);
    if (now - this.#relievedAt < RELIEF_MS) return;
    this.#relievedAt = now;
    this.#relieve(now);
  }

  #measure(now: number): void {
    const { gate } = this.#deps;
    const late = Math.max(0, now - this.#tickedAt - SAMPLE_MS);
    const lagMs = this.#lagMs ?? Number.POSITIVE_INFINITY;
    this.#lag += (Math.min(late, 2 * lagMs) - this.#lag) * NEWEST;
    this.#pressures.lag = this.#lag / lagMs;
    this.#pressures.memory = this.#memoryBytes === null ? 0 : this.#sources.resident() / this.#memoryBytes;
    this.#pressures.connections = gate.open / this.#connections;
  }

  #judge(): void {
    const { shedder } = this;
    for (const signal of SIGNALS) this.#levels[signal] = nextLevel(this.#levels[signal], this.#shedding(signal));
    const worst = SIGNALS.reduce((a, b) => (this.#levels[b] > this.#levels[a] ? b : a));
    const before = shedder.level;
    shedder.reason = worst;
    shedder.pressure = this.#shedding(worst);
    shedder.level = this.#levels[worst];
    if (shedder.level === before) return;
    const facts = { sheds: NAMES[shedder.level], signal: worst, pressure: Number(shedder.pressure.toFixed(3)) };
    if (shedder.level > before) this.#deps.log.warn(facts, "overload: more requests are shed");
    else this.#deps.log.info(facts, "overload: fewer requests are shed");
  }

  /** Connections have a limit of their own, at which new ones are refused: open ones lose `low` requests only. */
  #shedding(signal: Signal): number {
    const pressure = this.#pressures[signal];
    return signal === "connections" ? Math.min(pressure, 1) * OF_CONNECTIONS : pressure;
  }

  #openGate(now: number): void {
    const { gate, log } = this.#deps;
    const held = gate.open + gate.turnedAway;
    const free = this.#maxDescriptors - this.#sources.openDescriptors() - RESERVED_DESCRIPTORS;
    // Each connection may need another one to a service.
    gate.most = held + Math.floor(free / 2);
    gate.isHeld = this.#levels.memory === 3;
    this.#heldAt = gate.isHeld ? (this.#heldAt ?? now) : null;
    gate.settle(this.#connections);
    if (gate.isPaused === this.#wasPaused) return;
    this.#wasPaused = gate.isPaused;
    const facts = { open: gate.open, freeDescriptors: free };
    if (gate.isPaused) log.warn(facts, "overload: new connections have to wait");
    else log.info(facts, "overload: new connections are accepted again");
  }

  /** To shed what comes is not enough when what is under way alone takes too much. */
  #cutSlowest(): void {
    const excess = this.#sources.resident() - (this.#memoryBytes ?? 0) * OF_FULL;
    const cut = excess > 0 ? this.#deps.cutSlowest(excess) : 0;
    this.#cut.add(cut);
    if (cut > 0) this.#deps.log.warn({ connections: cut }, "overload: connections with slow readers were broken off");
  }

  /**
   * The collector does not count what lies outside its heap, and rests when there is no traffic: without it memory
   * would stay at its threshold when all that it was for is gone.
   */
  #collect(now: number): void {
    if (now < this.#collectsAt) return;
    this.#sources.collect();
    this.#collectsAt = now + (this.#sources.now() - now) / OF_TIME;
  }

  #relieve(now: number): void {
    const { closeIdle, gate } = this.#deps;
    if (this.#levels.memory >= 2) this.#collect(now);
    if (this.#levels.memory === 3) this.#cutSlowest();
    if (this.#levels.memory >= 2 || gate.open >= this.#connections || gate.isPaused) closeIdle();
  }
}
