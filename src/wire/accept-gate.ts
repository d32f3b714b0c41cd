import type { Acceptor } from "./acceptor.ts";

/** So many connections at once are told that there are too many; beyond, accepting rests. */
const TURNED_AWAY = 64;

/** Accepting begins again when so much of what is allowed is free, so that it does not begin and rest in turn. */
const ROOM = 1 / 16;

/**
 * Counts the connections of all listeners, and lets their accepting rest while there is no room for more: the kernel
 * keeps a queue of those that come meanwhile, where they cost nothing.
 */
export class AcceptGate {
  /** Connections that were taken. */
  open = 0;
  readonly byAddress = new Map<string, number>();
  /** Connections that are told that they cannot stay. They take nobody's place. */
  turnedAway = 0;
  /** The most connections that there may be in any case, such as descriptors for them; `Infinity` for no bound. */
  most = Number.POSITIVE_INFINITY;
  /** True while none is to be accepted, whatever there is room for. */
  isHeld = false;
  readonly #acceptors = new Set<Acceptor>();
  #isPaused = false;

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** False when no more can be told that they cannot stay: what was accepted all the same is closed in silence. */
  get canTurnAway(): boolean {
    return this.turnedAway < TURNED_AWAY;
  }

  /** Takes part from now on, until it is removed. */
  add(acceptor: Acceptor): void {
    this.#acceptors.add(acceptor);
    if (this.#isPaused) acceptor.pause();
  }

  remove(acceptor: Acceptor): void {
    this.#acceptors.delete(acceptor);
  }

  /** Counts a connection; tells why it may not stay, or null. `limit` bounds all together, `ownLimit` its address. */
  enter(address: string, limit: number, ownLimit: number | null): "limit" | "client_limit" | null {
    const own = (this.byAddress.get(address) ?? 0) + 1;
    this.byAddress.set(address, own);
    this.open++;
    if (this.open > limit) return "limit";
    return own > (ownLimit ?? Number.POSITIVE_INFINITY) ? "client_limit" : null;
  }

  /** A connection that was counted and taken is gone, or does not count any more. */
  leave(address: string): void {
    this.open--;
    const own = (this.byAddress.get(address) ?? 1) - 1;
    if (own > 0) this.byAddress.set(address, own);
    else this.byAddress.delete(address);
  }

  /** Looks whether accepting has to rest or may go on: after each change of the numbers. */
  settle(limit: number): void {
    if (this.#isPaused) {
      if (this.#hasRoom(limit)) this.#resume();
    } else if (this.#isFull(limit)) this.#pause();
  }

  #isFull(limit: number): boolean {
    if (this.isHeld || this.open + this.turnedAway >= this.most) return true;
    return this.open >= limit && this.turnedAway >= TURNED_AWAY;
  }

  #hasRoom(limit: number): boolean {
    if (this.isHeld || this.open + this.turnedAway > this.most * (1 - ROOM)) return false;
    return this.open <= limit * (1 - ROOM) || this.turnedAway <= TURNED_AWAY / 2;
  }

  #pause(): void {
    this.#isPaused = true;
    for (const acceptor of this.#acceptors) acceptor.pause();
  }

  #resume(): void {
    this.#isPaused = false;
    // One that cannot begin again keeps the others from nothing; the next look tries it once more.
    for (const acceptor of this.#acceptors) if (!acceptor.resume()) this.#isPaused = true;
  }
}
