import { now } from "../event.ts";
import { H2_CODE } from "./frame.ts";
import { SessionError } from "./session-error.ts";

/** So much may be owed at most, and comes back each second. */
const BURST = 1000;
const IDLE_PER_SECOND = 100;
const RESETS_PER_SECOND = 33;

/**
 * What a peer may make us do for nothing. Frames that carry nothing on (PING, SETTINGS, empty DATA …) cost a point of
 * one account, streams that were begun in vain one of the other; useful traffic and time fill them up again. Who
 * overdraws is told to calm down.
 */
export class SessionBudget {
  #idle = BURST;
  #resets = BURST;
  #idleAt = now();
  #resetsAt = this.#idleAt;

  /** A frame that carries nothing on. Throws SessionError when there were too many. */
  spend(): void {
    if (--this.#idle >= 0) return;
    const at = now();
    this.#idle = refilled(this.#idle, ((at - this.#idleAt) * IDLE_PER_SECOND) / 1000);
    this.#idleAt = at;
    if (this.#idle < 0) throw tooMuch("Too many frames that carry nothing.");
  }

  /** Something of use was carried: so many frames more may come along with it. */
  earn(frames: number): void {
    if (this.#idle < BURST) this.#idle += frames;
  }

  /** A stream was reset, by the peer or because of what it did. Throws SessionError when there were too many. */
  spendReset(): void {
    if (--this.#resets >= 0) return;
    const at = now();
    this.#resets = refilled(this.#resets, ((at - this.#resetsAt) * RESETS_PER_SECOND) / 1000);
    this.#resetsAt = at;
    if (this.#resets < 0) throw tooMuch("Too many streams were reset.");
  }

  /** A stream came to its end. */
  earnReset(): void {
    if (this.#resets < BURST) this.#resets++;
  }
}

function refilled(points: number, more: number): number {
  return Math.min(BURST, points + Math.floor(more));
}

function tooMuch(detail: string): SessionError {
  return new SessionError(H2_CODE.enhance_your_calm, detail);
}
