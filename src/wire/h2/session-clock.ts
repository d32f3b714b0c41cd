import { Timer, type TimerWheel } from "../timer-wheel.ts";
import type { SessionLimits } from "./session-options.ts";

/** So long a closing connection is read on: the peer gets to read why. */
const LINGER_MS = 2000;
/** So long a peer may open streams after it was first told to go elsewhere, if it answers no ping. */
const DRAIN_MS = 1000;

/**
 * What a connection waits for. `head`: a frame or field block to come whole; `idle`: a stream; `blocked`: the peer to
 * read; `drain`: the peer to hear that it should go; `linger`: the peer to close.
 */
export type Wait = "none" | "head" | "idle" | "blocked" | "drain" | "linger";

/** The one timer of a connection. */
export class SessionClock extends Timer {
  readonly #wheel: TimerWheel;
  readonly #limits: SessionLimits;
  readonly #onDue: (wait: Wait) => void;
  #wait: Wait = "none";
  #mark = 0;

  constructor(wheel: TimerWheel, limits: SessionLimits, onDue: (wait: Wait) => void) {
    super();
    this.#wheel = wheel;
    this.#limits = limits;
    this.#onDue = onDue;
  }

  /** Waits for that; its time runs on if it was waited for already. `mark` tells one frame from the next. */
  waitFor(wait: Wait, mark: number): void {
    if (wait === this.#wait && (wait !== "head" || mark === this.#mark)) return;
    this.#wait = wait;
    this.#mark = mark;
    this.#wheel.arm(this, this.#ms(wait));
  }

  /** The time of what is waited for next begins anew. */
  restart(): void {
    this.#wait = "none";
  }

  stop(): void {
    this.#wheel.remove(this);
  }

  override fire(): void {
    const wait = this.#wait;
    this.#wait = "none";
    this.#onDue(wait);
  }

  #ms(wait: Wait): number {
    if (wait === "linger") return LINGER_MS;
    if (wait === "drain") return DRAIN_MS;
    if (wait === "head") return this.#limits.headMs;
    return wait === "none" ? 0 : this.#limits.idleMs;
  }
}
