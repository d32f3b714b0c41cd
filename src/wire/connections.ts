import type { AcceptGate } from "./accept-gate.ts";
import type { ListenerContext, ListenerHooks, ServerConnection } from "./listener-context.ts";

interface Place {
  readonly context: ListenerContext<ServerConnection>;
  /** Under which it counts, or null while it is told that it cannot stay: then it takes nobody's place. */
  readonly address: string | null;
}

/** The open connections of one socket. */
export class Connections {
  readonly #places = new Map<ServerConnection, Place>();
  readonly #gate: AcceptGate;
  readonly #hooks: ListenerHooks;
  readonly #onEmpty: (() => void)[] = [];

  constructor(gate: AcceptGate, hooks: ListenerHooks) {
    this.#gate = gate;
    this.#hooks = hooks;
  }

  /** A connection that was counted at the gate under this address. */
  add(connection: ServerConnection, context: Place["context"], address: string): void {
    this.#places.set(connection, { context, address });
    this.#hooks.onConnection("opened");
  }

  /** Another connection speaks on the socket of one from now on. */
  replace(before: ServerConnection, after: ServerConnection, context: Place["context"]): void {
    const place = this.#places.get(before);
    if (place === undefined) return;
    this.#places.delete(before);
    this.#places.set(after, { context, address: place.address });
  }

  /** It turned out that somebody else is at the other end; the caller has counted that address at the gate. */
  recount(connection: ServerConnection, address: string): void {
    const place = this.#places.get(connection);
    if (place === undefined) return;
    if (place.address !== null) this.#gate.leave(place.address);
    this.#places.set(connection, { ...place, address });
  }

  /** It is told that it cannot stay. */
  turnAway(connection: ServerConnection): void {
    const place = this.#places.get(connection);
    if (place === undefined || place.address === null) return;
    this.#gate.leave(place.address);
    this.#gate.turnedAway++;
    this.#places.set(connection, { ...place, address: null });
  }

  /** A connection's socket is gone. */
  remove(connection: ServerConnection): void {
    const place = this.#places.get(connection);
    if (place === undefined) return;
    this.#places.delete(connection);
    if (place.address === null) this.#gate.turnedAway--;
    else this.#gate.leave(place.address);
    this.#gate.settle(place.context.limits.connections);
    this.#hooks.onConnection("closed");
    if (this.#places.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  /** Those of one context, or all. */
  list(context?: Place["context"]): readonly ServerConnection[] {
    if (context === undefined) return [...this.#places.keys()];
    return [...this.#places].filter(([, place]) => place.context === context).map(([connection]) => connection);
  }

  /** Resolves when none is left. */
  emptied(): Promise<void> {
    if (this.#places.size === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#onEmpty.push(resolve));
  }
}
