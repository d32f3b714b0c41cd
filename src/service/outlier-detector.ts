import { Timer, type TimerWheel } from "../wire/timer-wheel.ts";
import type { Availability } from "./availability.ts";
import type { OutlierOptions } from "./options.ts";
import { stragglers } from "./outlier-success-rate.ts";

/** However often an endpoint was ejected, it is tried again after so long, or after `ejectFor` where that is longer. */
const LONGEST_MS = 300_000;

/** What is told of an endpoint that was ejected. */
export interface Ejection {
  readonly endpoint: string;
  readonly cause: "consecutive_failures" | "success_rate";
  readonly forMs: number;
}

/** An ejection that lasts. */
export interface EjectionState {
  readonly cause: Ejection["cause"];
  /** Ejections lately, this one included. */
  readonly times: number;
  /** Of the wheel's clock. */
  readonly untilMs: number;
}

interface Watched {
  readonly id: string;
  readonly weight: number;
  readonly pool: object;
}

export interface OutlierDeps {
  readonly wheel: TimerWheel;
  /** Milliseconds of the wheel's clock. */
  readonly nowMs: () => number;
  readonly availability: Availability;
  readonly onEjected: (ejection: Ejection) => void;
  readonly onReturned: (endpoint: string) => void;
}

/** Takes endpoints that fail out of the balancer's set for a while. */
export interface OutlierDetector {
  /** Hears the outcome of each attempt on an endpoint, unless nobody is to blame for it; true when it is ejected now. */
  judge(endpoint: Watched, isFailure: boolean): boolean;
  /** The registry's set; who left it is forgotten. */
  update(endpoints: readonly Watched[]): void;
  /** Endpoints that are out now. */
  readonly ejected: number;
  /** Ejections since the beginning. */
  readonly ejections: number;
  /** Null for an endpoint that is in. */
  ejectionOf(endpoint: Pick<Watched, "pool">): EjectionState | null;
  /** Nobody is watched any more. */
  close(): void;
}

/** One endpoint's record. */
interface Subject {
  readonly endpoint: Watched;
  /** Failures since the last success. */
  streak: number;
  successes: number;
  total: number;
  /** Times that it was ejected; one less after each interval without. */
  ejections: number;
  /** 0 while it is in. */
  ejectedUntil: number;
  /** Of the last ejection. */
  cause: Ejection["cause"];
  returnedAt: number;
}

/** A detector that watches nobody yet. */
export function createOutlierDetector(options: OutlierOptions, deps: OutlierDeps): OutlierDetector {
  return new Detector(options, deps);
}

class Detector extends Timer implements OutlierDetector {
  readonly #options: OutlierOptions;
  readonly #deps: OutlierDeps;
  #subjects = new Map<object, Subject>();
  #sweepAt: number;
  #isClosed = false;
  ejected = 0;
  ejections = 0;

  constructor(options: OutlierOptions, deps: OutlierDeps) {
    super();
    this.#options = options;
    this.#deps = deps;
    this.#sweepAt = deps.nowMs() + options.intervalMs;
    deps.availability.whenEased(() => this.#keepShare());
    this.#rearm();
  }

  judge(endpoint: Watched, isFailure: boolean): boolean {
    const subject = this.#subjects.get(endpoint.pool);
    if (subject === undefined || subject.ejectedUntil > 0) return false;
    subject.total++;
    if (!isFailure) {
      subject.successes++;
      subject.streak = 0;
      return false;
    }
    if (++subject.streak >= this.#options.consecutiveFailures) this.#eject(subject, "consecutive_failures");
    return subject.ejectedUntil > 0;
  }

  update(endpoints: readonly Watched[]): void {
    if (this.#isClosed) return;
    const old = this.#subjects;
    this.#subjects = new Map(endpoints.map((endpoint) => [endpoint.pool, subjectOf(endpoint, old.get(endpoint.pool))]));
    this.ejected = this.#out().length;
    this.#keepShare();
  }

  /** Returns those that are too many for the set as it is now: it shrank, or one that is out is found well. */
  #keepShare(): void {
    const { out, limit } = this.#places();
    for (const subject of out.slice(0, Math.max(0, out.length - limit))) this.#return(subject);
    this.#rearm();
  }

  /** Endpoints that are out and count, and how many may be. Whom health checks hold out already is not among either. */
  #places(): { readonly out: readonly Subject[]; readonly limit: number } {
    const counts = ({ endpoint }: Subject) => endpoint.weight > 0 && !this.#isSick(endpoint);
    const all = [...this.#subjects.values()].filter(counts).length;
    const { maxEjectedShare: share } = this.#options;
    // With a small share of few endpoints nobody would ever be.
    const least = all > 1 && share > 0 ? 1 : 0;
    return { out: this.#out().filter(counts), limit: Math.max(least, Math.floor(all * share)) };
  }

  #isSick(endpoint: Watched): boolean {
    return this.#deps.availability.isOut(endpoint, "unhealthy");
  }

  ejectionOf({ pool }: Pick<Watched, "pool">): EjectionState | null {
    const subject = this.#subjects.get(pool);
    if (subject === undefined || subject.ejectedUntil === 0) return null;
    return { cause: subject.cause, times: subject.ejections, untilMs: subject.ejectedUntil };
  }

  close(): void {
    this.#isClosed = true;
    this.#subjects.clear();
    this.ejected = 0;
    this.#deps.wheel.remove(this);
  }

  override fire(): void {
    const now = this.#deps.nowMs();
    for (const subject of this.#out()) if (subject.ejectedUntil <= now) this.#return(subject);
    if (now >= this.#sweepAt) this.#sweep(now);
    this.#rearm();
  }

  /** Those that are out, the first to return first. */
  #out(): readonly Subject[] {
    const out = [...this.#subjects.values()].filter(({ ejectedUntil }) => ejectedUntil > 0);
    return out.sort((a, b) => a.ejectedUntil - b.ejectedUntil);
  }

  #eject(subject: Subject, cause: Ejection["cause"]): void {
    // Who is out already would only be kept out once it is well.
    if (subject.endpoint.weight === 0 || this.#isSick(subject.endpoint)) return;
    const { out, limit } = this.#places();
    if (out.length >= limit) return;
    const { ejectForMs } = this.#options;
    const forMs = Math.min(ejectForMs * ++subject.ejections, Math.max(ejectForMs, LONGEST_MS));
    subject.ejectedUntil = this.#deps.nowMs() + forMs;
    subject.cause = cause;
    this.ejected++;
    this.ejections++;
    this.#deps.availability.remove(subject.endpoint, "ejected");
    this.#deps.onEjected({ endpoint: subject.endpoint.id, cause, forMs });
    this.#rearm();
  }

  #return(subject: Subject): void {
    subject.ejectedUntil = 0;
    subject.returnedAt = this.#deps.nowMs();
    subject.streak = 0;
    subject.successes = 0;
    subject.total = 0;
    this.ejected--;
    this.#deps.availability.restore(subject.endpoint, "ejected");
    this.#deps.onReturned(subject.endpoint.id);
  }

  #sweep(now: number): void {
    const { intervalMs, successRate } = this.#options;
    this.#sweepAt = now + intervalMs;
    const inside = [...this.#subjects.values()].filter(({ ejectedUntil }) => ejectedUntil === 0);
    if (successRate !== null)
      for (const subject of stragglers(inside, successRate)) this.#eject(subject, "success_rate");
    for (const subject of inside) {
      subject.successes = 0;
      subject.total = 0;
      const isCalm = subject.ejectedUntil === 0 && now - subject.returnedAt >= intervalMs;
      if (isCalm && subject.ejections > 0) subject.ejections--;
    }
  }

  #rearm(): void {
    const { nowMs, wheel } = this.#deps;
    const subjects = [...this.#subjects.values()];
    const isSwept = this.#options.successRate !== null || subjects.some(({ ejections }) => ejections > 0);
    const dueAt = Math.min(isSwept ? this.#sweepAt : Infinity, this.#out()[0]?.ejectedUntil ?? Infinity);
    // Where all is well there is nothing to look after.
    if (this.#isClosed || dueAt === Infinity) wheel.disarm(this);
    else wheel.arm(this, Math.max(1, dueAt - nowMs()));
  }
}

function subjectOf(endpoint: Watched, old: Subject | undefined): Subject {
  if (old !== undefined) return { ...old, endpoint };
  const cause = "consecutive_failures";
  return { endpoint, streak: 0, successes: 0, total: 0, ejections: 0, ejectedUntil: 0, cause, returnedAt: 0 };
}
