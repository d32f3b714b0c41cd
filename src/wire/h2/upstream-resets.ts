import { now } from "../event.ts";

/** So many on one connection, and no more: endpoints that defend themselves against floods bear 500 at the least. */
const MOST = 200;
const PER_SECOND = 20;
/** From so many on an endpoint may have its reasons. */
const MANY = 100;

/**
 * Counts the resets that clients cause on one connection by leaving: an endpoint takes many for an attack, and ends
 * the connection for all who share it. Time makes up for some.
 */
export class UpstreamResets {
  #count = 0;
  #at = now();

  /** Another one. */
  add(): void {
    this.#settle();
    this.#count++;
  }

  /** The connection is to be given no more requests. */
  get isSpent(): boolean {
    this.#settle();
    return this.#count >= MOST;
  }

  /** When the endpoint ends the connection now, it may be for them. */
  get areMany(): boolean {
    this.#settle();
    return this.#count >= MANY;
  }

  #settle(): void {
    const at = now();
    this.#count = Math.max(0, this.#count - ((at - this.#at) * PER_SECOND) / 1000);
    this.#at = at;
  }
}
