import { GatewayError } from "../errors.ts";
import { Timer, type TimerWheel } from "../wire/timer-wheel.ts";
import { TIMED_OUT, type Verdict } from "./health-check.ts";

/** Bounds a probe, and whom it tells. */
export interface TimedProbeParts {
  readonly timeoutMs: number;
  readonly wheel: TimerWheel;
  readonly told: (verdict: Verdict) => void;
}

/** What any probe is besides its question: it ends once, by a verdict within its time or by being called off. */
export abstract class TimedProbe extends Timer {
  readonly #parts: TimedProbeParts;
  #isOver = false;

  constructor(parts: TimedProbeParts) {
    super();
    this.#parts = parts;
  }

  /** Returns what calls it off. */
  start(): () => void {
    this.#parts.wheel.arm(this, this.#parts.timeoutMs);
    this.ask();
    return () => this.#stop();
  }

  protected get isOver(): boolean {
    return this.#isOver;
  }

  override fire(): void {
    this.conclude(TIMED_OUT);
  }

  /** Puts the question. */
  protected abstract ask(): void;

  /** Lets go of what the question holds. */
  protected abstract letGo(reason: GatewayError): void;

  /** Tells the verdict, the first one only. */
  protected conclude(verdict: Verdict): void {
    if (this.#isOver) return;
    this.#stop();
    this.#parts.told(verdict);
  }

  #stop(): void {
    this.#isOver = true;
    this.#parts.wheel.remove(this);
    this.letGo(new GatewayError("client_closed", "The check is over."));
  }
}
