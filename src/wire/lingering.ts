import { type LentConnection, LINGER_BYTES, LINGER_MS } from "./downstream-state.ts";

/**
 * A connection on which all is said: sends what waits, then is read on for a little, until the client closes. To close
 * at once would reset it when more comes, and take the answer away.
 */
export class Lingering {
  readonly #connection: LentConnection;
  #readBytes = 0;

  constructor(connection: LentConnection) {
    this.#connection = connection;
  }

  /** `hasEnded`: the client sends nothing more. */
  begin(hasEnded: boolean): void {
    const { socket, outlet, gate } = this.#connection;
    outlet.end();
    if (hasEnded && !outlet.isBlocked) socket.end();
    else {
      gate.open();
      this.drained();
    }
  }

  /** More of what nobody asked for. */
  data(bytes: Uint8Array): void {
    this.#readBytes += bytes.length;
    if (this.#readBytes > LINGER_BYTES) this.#connection.socket.terminate();
  }

  /** The client took something, or all; its time begins anew. */
  drained(): void {
    const { outlet, timer, context } = this.#connection;
    context.wheel.arm(timer, outlet.isBlocked ? context.limits.idleTimeoutMs : LINGER_MS);
  }
}
