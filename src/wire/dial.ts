import type { Socket } from "bun";
import { GatewayError } from "../errors.ts";
import { inEvent } from "./event.ts";
import { type SocketOwner, socketEvents } from "./socket-events.ts";
import { Timer, type TimerWheel } from "./timer-wheel.ts";
import { type DialTls, handshakeError, handshakeFailed, tlsOptions } from "./tls/dial-tls.ts";

export interface DialOptions {
  readonly hostname: string;
  readonly port: number;
  /** Bounds the whole, a TLS handshake included. */
  readonly connectMs: number;
  readonly wheel: TimerWheel;
  /** Null for a connection in the clear. */
  readonly tls: DialTls | null;
}

/** Who wants the connection: an exchange, or a client's connection that is passed on as it is. */
export interface Dialer {
  /** Set while the dial is under way; to be called when nobody waits for it any more. */
  set onGone(listener: ((reason: GatewayError) => void) | null);
}

/** Hears what becomes of a dial: `opened` or `failed` once, then `settled` when the runtime is done with it. */
export interface DialOwner {
  /** The connection is there, over TLS with a verified peer. Returns who hears the socket's events from now on. */
  opened(socket: Socket<unknown>): SocketOwner;
  failed(error: GatewayError): void;
  /** Nobody waits for it any more, but the runtime cannot call it off: it still holds a descriptor. */
  abandoned(): void;
  settled(wasAbandoned: boolean): void;
}

const SENT_NOTHING = { sent: "nothing" } as const;
/** The runtime's word for a socket that is gone. */
const CLOSED = -1;
const EVENTS = socketEvents<SocketOwner>();

/** One try to open a connection for somebody, within a time. Begins when it is made. */
export class Dial extends Timer {
  readonly #dialer: Dialer;
  readonly #options: DialOptions;
  readonly #owner: DialOwner;
  /** Set while a handshake is under way. */
  #socket: Socket<SocketOwner> | null = null;
  #isConnecting = true;
  #isOver = false;
  #isAbandoned = false;

  constructor(dialer: Dialer, options: DialOptions, owner: DialOwner) {
    super();
    this.#dialer = dialer;
    this.#options = options;
    this.#owner = owner;
    dialer.onGone = (reason) => this.#giveUp(reason);
    options.wheel.arm(this, options.connectMs);
    this.#connect()
      .catch((cause: unknown) => {
        this.#fail(new GatewayError("upstream_connect", "The upstream cannot be reached.", { cause, ...SENT_NOTHING }));
      })
      .finally(() => {
        this.#isConnecting = false;
        this.#settle();
      });
  }

  override fire(): void {
    const isShaking = this.#socket !== null;
    const detail = isShaking
      ? "The TLS handshake with the upstream took too long."
      : "The upstream did not accept a connection in time.";
    this.#giveUp(new GatewayError("upstream_connect", detail, SENT_NOTHING));
  }

  async #connect(): Promise<void> {
    const { hostname, port, tls } = this.#options;
    const address = { hostname, port, allowHalfOpen: true };
    if (tls === null) await Bun.connect<SocketOwner>({ ...address, socket: this.#plainHandlers() });
    else await Bun.connect<SocketOwner>({ ...address, tls: tlsOptions(tls, hostname), socket: this.#tlsHandlers(tls) });
  }

  #plainHandlers() {
    return {
      ...EVENTS,
      open: (socket: Socket<SocketOwner>) => {
        socket.setNoDelay(true);
        inEvent(socket, (it) => this.#opened(it));
      },
      // The rejected promise tells the same; without this handler the runtime would also print the error.
      connectError() {},
    };
  }

  /** With a `handshake` handler the runtime calls `open`, and resolves, when the handshake has yet to begin. */
  #tlsHandlers(tls: DialTls) {
    return {
      ...EVENTS,
      open: (socket: Socket<SocketOwner>) => {
        socket.setNoDelay(true);
        if (this.#isOver) socket.terminate();
        else this.#socket = socket;
      },
      handshake: (socket: Socket<SocketOwner>, isAccepted: boolean, error: Error | null) => {
        const fault = handshakeError(tls, { socket, isAccepted, error, hostname: this.#options.hostname });
        inEvent(socket, (it) => (fault === null ? this.#opened(it) : this.#broke(fault)));
      },
      // A reset within the handshake comes by this alone.
      close: (socket: Socket<SocketOwner>, cause?: Error) => {
        if (this.#socket === null) EVENTS.close(socket, cause);
        else this.#broke(handshakeFailed(cause));
      },
      connectError() {},
    };
  }

  #opened(socket: Socket<SocketOwner>): void {
    if (this.#isOver) {
      socket.terminate();
      return;
    }
    this.#end();
    const owner = this.#owner.opened(socket);
    socket.data = owner;
    // Closing tells the handlers at once, and they knew of no owner yet: one whose first request was void already.
    if (socket.readyState === CLOSED) owner.onClose(false);
    this.#settle();
  }

  #broke(error: GatewayError): void {
    const socket = this.#socket;
    this.#fail(error);
    // Closing tells the handlers at once: by then the reason is told.
    socket?.terminate();
  }

  #giveUp(error: GatewayError): void {
    if (this.#isOver) return;
    if (this.#socket === null) {
      this.#isAbandoned = true;
      this.#owner.abandoned();
    }
    this.#broke(error);
  }

  #fail(error: GatewayError): void {
    if (this.#isOver) return;
    this.#end();
    this.#owner.failed(error);
    this.#settle();
  }

  #end(): void {
    this.#isOver = true;
    this.#socket = null;
    this.#options.wheel.remove(this);
    this.#dialer.onGone = null;
  }

  /** Once: when the outcome is known and the runtime is no longer connecting. */
  #settle(): void {
    if (this.#isOver && !this.#isConnecting) this.#owner.settled(this.#isAbandoned);
  }
}
