import { GatewayError } from "../errors.ts";
import { Timer, type TimerWheel } from "./timer-wheel.ts";
import { WebSocketParting } from "./websocket-parting.ts";

/** So long a client that was told to go has to answer, before its server is told in its place. */
const PARTING_MS = 1000;

/** How long a peer that reads nothing, or does not close, may hold what a tunnel that is over has left for it. */
export const TUNNEL_LINGER_MS = 10_000;

/** Where a tunnel's bytes leave: a socket's outlet, or a stream's. */
export interface TunnelOutlet {
  readonly isBlocked: boolean;
  readonly isEnded: boolean;
  bytes(bytes: Uint8Array): void;
  /** True when nothing waits any more. */
  drain(): boolean;
  /** Half-closes once everything is sent. */
  end(): void;
}

/** What a tunnel counts and tells of its end. */
export interface TunnelTally {
  bytesReceived: number;
  bytesSent: number;
  error: GatewayError | null;
}

/** One of the two connections of a tunnel. */
export interface TunnelEnd {
  readonly outlet: TunnelOutlet;
  tunnel: Tunnel | null;
  /** The tunnel is there: what came before may be given to it. */
  opened?(): void;
  setPaused(isPaused: boolean): void;
  /** The tunnel is over: sends what is left, takes no more, and is gone when its peer is, or after so long in any case. */
  linger(): void;
  /** Closes at once, with a reset where the runtime can. */
  terminate(): void;
}

export interface TunnelOptions {
  readonly tally: TunnelTally;
  readonly wheel: TimerWheel;
  /** Silence in both directions after which the tunnel is closed; 0 for none. */
  readonly idleMs: number;
  /** True when what passes are frames of a WebSocket: only these can be closed in order. Left out: they are not. */
  readonly isWebSocket?: boolean;
  readonly onClosed: () => void;
}

/**
 * Two connections as one: bytes, half-closes and resets pass, with back-pressure both ways. No byte is looked at, but
 * for the heads of a WebSocket's frames.
 */
export class Tunnel extends Timer {
  readonly #down: TunnelEnd;
  readonly #up: TunnelEnd;
  readonly #options: TunnelOptions;
  readonly #parting: WebSocketParting | null;
  #isParting = false;
  #isBroken = false;
  #isClosed = false;

  constructor(down: TunnelEnd, up: TunnelEnd, options: TunnelOptions) {
    super();
    this.#down = down;
    this.#up = up;
    this.#options = options;
    this.#parting = options.isWebSocket === true ? new WebSocketParting(down.outlet, up.outlet) : null;
    down.tunnel = this;
    up.tunnel = this;
    this.#touch();
  }

  /** Bytes that came from one end. */
  data(from: TunnelEnd, bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const to = this.#other(from);
    const { tally } = this.#options;
    if (from === this.#down) tally.bytesReceived += bytes.length;
    else tally.bytesSent += bytes.length;
    if (this.#parting === null) to.outlet.bytes(bytes);
    else if (from === this.#down) this.#parting.fromClient(bytes);
    else this.#parting.fromServer(bytes);
    if (to.outlet.isBlocked) from.setPaused(true);
    if (this.#isParting) this.#endWhenOver();
    else this.#touch();
  }

  /** Ends a WebSocket by its closing handshake, with 1001; anything else goes on. */
  goAway(): void {
    if (this.#parting === null || this.#isParting || this.#isClosed) return;
    this.#isParting = true;
    this.#parting.begin();
    this.#options.wheel.arm(this, PARTING_MS);
    this.#endWhenOver();
  }

  #endWhenOver(): void {
    if (this.#parting?.isOver !== true) return;
    this.#down.outlet.end();
    this.#up.outlet.end();
    this.#close();
  }

  /** One end's socket can be written to again. */
  drained(end: TunnelEnd): void {
    const isDrained = end.outlet.drain();
    this.#touch();
    if (this.#isClosed) end.linger();
    else if (isDrained) this.#other(end).setPaused(false);
  }

  /** One end sends no more. */
  ended(end: TunnelEnd): void {
    if (this.#isParting && end === this.#down) this.#parting?.insist();
    this.#other(end).outlet.end();
    if (this.#down.outlet.isEnded && this.#up.outlet.isEnded) this.#close();
  }

  /**
   * One end's socket is gone, or is broken off by us. A reset is passed on as one, for an end that is held back would
   * never hear of a mere end; without it, the end had ended, or ends now.
   */
  closed(end: TunnelEnd, isReset: boolean): void {
    // To break the other one off comes back to here.
    if (this.#isClosed || this.#isBroken) return;
    this.#isBroken = isReset;
    if (isReset) this.#other(end).terminate();
    else this.#other(end).outlet.end();
    this.#close();
  }

  override fire(): void {
    if (this.#isParting) {
      this.#parting?.insist();
      return;
    }
    this.#options.tally.error ??= new GatewayError("upstream_timeout", "The tunnel was idle for too long.");
    this.#down.terminate();
    this.#up.terminate();
    this.#close();
  }

  #touch(): void {
    if (!this.#isClosed) this.#options.wheel.arm(this, this.#options.idleMs);
  }

  #other(end: TunnelEnd): TunnelEnd {
    return end === this.#down ? this.#up : this.#down;
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Left in the wheel it would keep both connections in memory until its slot comes up.
    this.#options.wheel.remove(this);
    this.#options.onClosed();
    for (const end of [this.#down, this.#up]) {
      // Who is not read would never be seen to close.
      end.setPaused(false);
      end.linger();
    }
  }
}
