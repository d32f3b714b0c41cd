import { now } from "../event.ts";

/** So many tries that nobody waits for any more may stay open at once; beyond, only one in a while is made. */
const ABANDONED_LIMIT = 64;
const PROBE_MS = 100;

/** The connections to one endpoint that passages go on over, and how many there may be. */
export class PassageCount {
  /** Those that are being opened included. */
  open = 0;
  readonly #maxConnections: number;
  #abandoned = 0;
  #dialedAt = 0;

  /** 0 for no bound. */
  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  get isFull(): boolean {
    return this.#maxConnections > 0 && this.open >= this.#maxConnections;
  }

  /** Says whether another connection may be dialled now, which then counts as begun. */
  admitsDial(): boolean {
    if (this.#abandoned >= ABANDONED_LIMIT && now() - this.#dialedAt < PROBE_MS) return false;
    this.#dialedAt = now();
    return true;
  }

  /** A dial was given up, which the runtime still holds a descriptor for. */
  abandoned(): void {
    this.#abandoned++;
  }

  /** The runtime is done with a dial. */
  settled(wasAbandoned: boolean): void {
    if (wasAbandoned) this.#abandoned--;
  }
}
