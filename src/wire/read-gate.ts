import type { Socket } from "bun";
import { inEvent } from "./event.ts";

/** Bytes of later requests wait, up to so many; then the socket is not read. */
const HELD_BYTES = 64 * 1024;

/** So many requests of one client are begun before others have their turn. */
const REQUESTS_PER_TURN = 32;

/** Why a socket may not be read for now; it is read while there is no reason. */
export type PauseReason = "peer" | "body";

/** Keeps what was read too early, and pauses a socket's reading for several reasons at once. */
export class ReadGate {
  readonly #socket: Socket<unknown>;
  #isPeerSlow = false;
  #isBodyHeld = false;
  #held: Buffer | null = null;
  #left = REQUESTS_PER_TURN;

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

  /** Keeps bytes that belong to a later request: a copy, unless they are what `takeHeld` gave. */
  hold(bytes: Buffer, isOwn = false): void {
    if (this.#held !== null) this.#held = Buffer.concat([this.#held, bytes]);
    else this.#held = isOwn ? bytes : Buffer.from(bytes);
    if (this.#held.length > HELD_BYTES) this.set("peer", true);
  }

  /** A new turn begins: with new bytes, or after others have had theirs. */
  beginTurn(): void {
    this.#left = REQUESTS_PER_TURN;
  }

  /** Says whether another request may be begun in this turn. */
  takeTurn(): boolean {
    return this.#left-- > 0;
  }

  get hasHeld(): boolean {
    return this.#held !== null;
  }

  /** What was kept, once; null for nothing. */
  takeHeld(): Buffer | null {
    const held = this.#held;
    this.#held = null;
    return held;
  }

  /** Lets others have their turn first: who is answered at once would otherwise go on without end. */
  giveWay(next: () => void): void {
    this.set("peer", true);
    setImmediate(() => {
      this.beginTurn();
      inEvent(this, next);
    });
  }

  /** Reads on, whatever the reasons were. */
  open(): void {
    this.set("peer", false);
    this.set("body", false);
  }
}
