import type { LentConnection } from "./downstream-state.ts";
import type { Exchange } from "./exchange.ts";
import type { Outlet } from "./outlet.ts";
import { TUNNEL_LINGER_MS, type Tunnel, type TunnelEnd } from "./tunnel.ts";
import { openTunnel, type Upgrade } from "./upgrade.ts";

export interface DownstreamSwitch {
  readonly exchange: Exchange;
  readonly upgrade: Upgrade;
  /** What the client sent behind its request; null for nothing. */
  readonly first: Buffer | null;
  readonly onClosed: () => void;
}

/** A client's connection as one end of a tunnel, once its 101 was written. */
export class DownstreamTunnel implements TunnelEnd {
  readonly outlet: Outlet;
  tunnel: Tunnel | null = null;
  readonly #connection: LentConnection;
  #isGone = false;

  constructor(connection: LentConnection) {
    this.outlet = connection.outlet;
    this.#connection = connection;
  }

  /** Call it once, before anything else. */
  open({ exchange, upgrade, first, onClosed }: DownstreamSwitch): void {
    const { gate, timer, context } = this.#connection;
    gate.open();
    context.wheel.disarm(timer);
    openTunnel(this, upgrade, { exchange, context, onClosed });
    if (first !== null) this.data(first);
  }

  data(bytes: Uint8Array): void {
    this.tunnel?.data(this, bytes);
  }

  drained(): void {
    this.tunnel?.drained(this);
  }

  ended(): void {
    this.tunnel?.ended(this);
  }

  /** The socket is gone. */
  closed(isReset: boolean): void {
    this.#isGone = true;
    this.tunnel?.closed(this, isReset);
  }

  goAway(): void {
    this.tunnel?.goAway();
  }

  setPaused(isPaused: boolean): void {
    this.#connection.gate.set("peer", isPaused);
  }

  linger(): void {
    if (!this.#isGone) this.#connection.context.wheel.arm(this.#connection.timer, TUNNEL_LINGER_MS);
  }

  terminate(): void {
    this.tunnel?.closed(this, true);
    this.#connection.socket.terminate();
  }
}
