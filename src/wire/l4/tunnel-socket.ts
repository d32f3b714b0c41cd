import type { Socket } from "bun";
import { Outlet } from "../outlet.ts";
import type { SocketOwner } from "../socket-events.ts";
import { Timer, type TimerWheel } from "../timer-wheel.ts";
import { TUNNEL_LINGER_MS, type Tunnel, type TunnelEnd } from "../tunnel.ts";

/** A socket as one end of a tunnel, for as long as the socket lives. */
export abstract class TunnelSocket extends Timer implements TunnelEnd, SocketOwner {
  readonly outlet: Outlet;
  tunnel: Tunnel | null = null;
  /** True while the peer is held back, because what it sends cannot be passed on. */
  isPaused = false;
  readonly #socket: Socket<unknown>;
  readonly #wheel: TimerWheel;
  #isTerminated = false;
  #isLingering = false;
  #isGone = false;

  constructor(socket: Socket<unknown>, wheel: TimerWheel) {
    super();
    this.#socket = socket;
    this.#wheel = wheel;
    this.outlet = new Outlet(socket);
  }

  /** The peer broke the connection off; called before the tunnel hears of it. */
  protected abstract wasReset(): void;

  onData(bytes: Buffer): void {
    if (!this.#isLingering) this.tunnel?.data(this, bytes);
  }

  onDrain(): void {
    if (!this.#isLingering) this.tunnel?.drained(this);
    else if (!this.outlet.drain()) this.#wheel.arm(this, TUNNEL_LINGER_MS);
  }

  onEnd(): void {
    if (!this.#isLingering) this.tunnel?.ended(this);
  }

  onClose(isReset: boolean): void {
    this.#isGone = true;
    this.#wheel.remove(this);
    if (isReset && !this.#isTerminated) this.wasReset();
    // What we broke off ourselves must not end cleanly on the other side.
    this.tunnel?.closed(this, isReset || this.#isTerminated);
  }

  setPaused(isPaused: boolean): void {
    if (isPaused === this.isPaused) return;
    this.isPaused = isPaused;
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** The tunnel is over: sends what is left to a peer that reads, takes no more, and closes. */
  linger(): void {
    if (this.#isGone || this.#isTerminated) return;
    this.#isLingering = true;
    this.setPaused(false);
    this.outlet.end();
    this.#wheel.arm(this, TUNNEL_LINGER_MS);
  }

  override fire(): void {
    this.terminate();
  }

  terminate(): void {
    this.#isTerminated = true;
    this.#socket.terminate();
  }
}
