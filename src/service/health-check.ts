import { type GatewayError, reasonText } from "../errors.ts";
import { Timer, type TimerWheel } from "../wire/timer-wheel.ts";
import type { HealthCheckOptions } from "./health-options.ts";

/** How one check ended; `reason` says why it failed, in a few words, and is "" when it did not. */
export interface Verdict {
  readonly result: "success" | "failure" | "timeout";
  readonly reason: string;
}

/** What checks one endpoint. */
export interface Probe {
  /**
   * Begins a check and tells its verdict once, within the check's timeout; perhaps within the call. Returns what calls
   * it off: then nothing more is told.
   */
  begin(told: (verdict: Verdict) => void): () => void;
  /** Closes what is open; no check is begun any more. */
  close(): void;
}

/** The verdict on an endpoint that is well. */
export const PASSED: Verdict = { result: "success", reason: "" };

/** The verdict on one that did not answer in time. */
export const TIMED_OUT: Verdict = { result: "timeout", reason: "no answer in time" };

/** The verdict on one that could not be asked. */
export function failed(error: GatewayError): Verdict {
  return { result: "failure", reason: `${error.code}: ${reasonText(error)}` };
}

/** What the checks of an endpoint found so far. */
export interface HealthState {
  readonly isHealthy: boolean;
  /** False before the first verdict. */
  readonly isChecked: boolean;
  /** Why it is not healthy; "" when it is. */
  readonly reason: string;
}

/** Share of the interval by which checks are scattered to either side, so that they do not fall into step. */
const JITTER = 0.1;

export interface HealthCheckParts {
  readonly options: Pick<HealthCheckOptions, "intervalMs" | "healthyAfter" | "unhealthyAfter">;
  readonly probe: Probe;
  readonly wheel: TimerWheel;
  /** Gives numbers in [0, 1). */
  readonly random: () => number;
  readonly onVerdict: (verdict: Verdict) => void;
  /** The endpoint came to be healthy or ceased to be; it is healthy at first. */
  readonly onChange: (isHealthy: boolean, verdict: Verdict) => void;
}

/**
 * The checks of one endpoint, from `start` to `stop`. The first comes somewhere within an interval, and decides alone
 * when it fails: an endpoint that registered before it can serve, or is gone already, is not waited for.
 */
export class HealthCheck extends Timer {
  readonly #parts: HealthCheckParts;
  #isHealthy = true;
  #isChecked = false;
  #reason = "";
  /** Verdicts in a row that speak against the present state. */
  #against = 0;
  #cancel: (() => void) | null = null;

  constructor(parts: HealthCheckParts) {
    super();
    this.#parts = parts;
  }

  get state(): HealthState {
    return { isHealthy: this.#isHealthy, isChecked: this.#isChecked, reason: this.#reason };
  }

  start(): void {
    const { wheel, random, options } = this.#parts;
    wheel.arm(this, Math.max(1, random() * options.intervalMs));
  }

  stop(): void {
    this.#parts.wheel.remove(this);
    this.#cancel?.();
    this.#cancel = null;
    this.#parts.probe.close();
  }

  override fire(): void {
    let isTold = false;
    const cancel = this.#parts.probe.begin((verdict) => {
      isTold = true;
      this.#told(verdict);
    });
    if (!isTold) this.#cancel = cancel;
  }

  #told(verdict: Verdict): void {
    const { wheel, random, options, onVerdict } = this.#parts;
    this.#cancel = null;
    onVerdict(verdict);
    this.#judge(verdict);
    wheel.arm(this, options.intervalMs * (1 + JITTER * (2 * random() - 1)));
  }

  #judge(verdict: Verdict): void {
    const isGood = verdict.result === "success";
    const isFirst = !this.#isChecked;
    this.#isChecked = true;
    if (isGood === this.#isHealthy) {
      this.#against = 0;
      return;
    }
    const { healthyAfter, unhealthyAfter } = this.#parts.options;
    const needed = isGood ? healthyAfter : isFirst ? 1 : unhealthyAfter;
    if (++this.#against < needed) return;
    this.#against = 0;
    this.#isHealthy = isGood;
    this.#reason = verdict.reason;
    this.#parts.onChange(isGood, verdict);
  }
}
