import type { Socket } from "bun";

/** Why a socket may not be read for now; it is read while there is no reason. */
export type PauseReason = "peer" | "body";

/** Pauses a socket's reading for several reasons at once. */
export class ReadGate {
  readonly #socket: Socket<unknown>;
  #isPeerSlow = false;
  #isBodyHeld = false;

  constructor(socket: Socket<unknown>) {
    this.#socket = socket;
  }

  get isBodyHeld(): boolean {
    return this.#isBodyHeld;
  }

  set(reason: PauseReason, isPaused: boolean): void {
    const wasPaused = this.#isPeerSlow || this.#isBodyHeld;
    if (reason === "peer") this.#isPeerSlow = isPaused;
    else this.#isBodyHeld = isPaused;
    const isNow = this.#isPeerSlow || this.#isBodyHeld;
    if (isNow === wasPaused) return;
    if (isNow) this.#socket.pause();
    else this.#socket.resume();
  }

  open(): void {
    this.set("peer", false);
    this.set("body", false);
  }
}
