import { GatewayError } from "../errors.ts";
import type { Dialer } from "../wire/dial.ts";
import type { Dialing } from "../wire/dialing.ts";
import { Timer, type TimerWheel } from "../wire/timer-wheel.ts";
import { failed, PASSED, TIMED_OUT, type Verdict } from "./health-check.ts";

export interface TcpProbeParts {
  readonly dialing: Dialing;
  readonly timeoutMs: number;
  readonly wheel: TimerWheel;
  readonly told: (verdict: Verdict) => void;
}

const NOBODY = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };

/** One check whether an endpoint takes connections: opened and closed, and nothing is said on it. */
export class TcpProbe extends Timer implements Dialer {
  onGone: ((reason: GatewayError) => void) | null = null;
  readonly #parts: TcpProbeParts;
  #isOver = false;

  constructor(parts: TcpProbeParts) {
    super();
    this.#parts = parts;
  }

  /** Returns what calls it off. */
  start(): () => void {
    const { dialing, timeoutMs, wheel } = this.#parts;
    wheel.arm(this, timeoutMs);
    dialing.open(this, {
      opened: (socket) => {
        socket.terminate();
        this.#end(PASSED);
        return NOBODY;
      },
      failed: (error) => this.#end(failed(error)),
    });
    return () => this.#stop();
  }

  override fire(): void {
    this.#end(TIMED_OUT);
  }

  #end(verdict: Verdict): void {
    if (this.#isOver) return;
    this.#stop();
    this.#parts.told(verdict);
  }

  #stop(): void {
    this.#isOver = true;
    this.#parts.wheel.remove(this);
    this.onGone?.(new GatewayError("client_closed", "The check is over."));
  }
}
