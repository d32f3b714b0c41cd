import { keep } from "../keep.ts";
import { TUNNEL_LINGER_MS, type Tunnel, type TunnelEnd, type TunnelOutlet } from "../tunnel.ts";
import { H2_CODE } from "./frame.ts";
import type { H2Stream } from "./stream.ts";

/** A stream as one end of a tunnel (RFC 8441): its DATA are the bytes, its ends the half-closes. */
export class StreamTunnelEnd implements TunnelEnd, TunnelOutlet {
  readonly outlet: TunnelOutlet = this;
  tunnel: Tunnel | null = null;
  isEnded = false;
  readonly #stream: H2Stream;
  #isPaused = false;
  #hasCame = false;
  #held: Uint8Array[] = [];
  #isDiscarded = false;

  constructor(stream: H2Stream) {
    this.#stream = stream;
  }

  get isBlocked(): boolean {
    return this.#stream.isSendBlocked;
  }

  bytes(bytes: Uint8Array): void {
    this.#stream.carrier.sendData(this.#stream, bytes, false);
  }

  drain(): boolean {
    return !this.#stream.isSendBlocked;
  }

  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#stream.carrier.sendEnd(this.#stream, null);
  }

  /** Bytes of the stream; kept while there is no tunnel yet, or its other end takes none. */
  dataCame(bytes: Uint8Array): void {
    if (this.#isDiscarded) {
      this.#stream.carrier.credit(this.#stream, bytes.length);
      return;
    }
    if (this.tunnel === null || this.#isPaused) {
      keep(this.#held, bytes);
      return;
    }
    this.tunnel.data(this, bytes);
    this.#stream.carrier.credit(this.#stream, bytes.length);
  }

  /** The peer sends no more. */
  endCame(): void {
    this.#hasCame = true;
    if (this.#held.length === 0) this.tunnel?.ended(this);
  }

  /** Gives what had come before there was a tunnel. */
  begin(): void {
    this.#give();
  }

  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (!isPaused) this.#give();
  }

  linger(): void {
    this.discard();
    if (!this.#stream.isClosed) this.#stream.carrier.wheel.arm(this.#stream, TUNNEL_LINGER_MS);
  }

  terminate(): void {
    this.#stream.carrier.reset(this.#stream, H2_CODE.cancel);
    this.discard();
  }

  /** Nobody takes what was kept, nor what still comes: the connection's window is the other streams' as well. */
  discard(): void {
    this.#isDiscarded = true;
    for (const { length } of this.#held.splice(0)) this.#stream.carrier.credit(this.#stream, length);
  }

  #give(): void {
    const { tunnel } = this;
    if (tunnel === null) return;
    while (!this.#isPaused) {
      const piece = this.#held.shift();
      if (piece === undefined) break;
      tunnel.data(this, piece);
      this.#stream.carrier.credit(this.#stream, piece.length);
    }
    if (this.#hasCame && this.#held.length === 0) tunnel.ended(this);
  }
}
