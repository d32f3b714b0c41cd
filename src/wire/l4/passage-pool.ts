import type { GatewayError } from "../../errors.ts";
import { Dialing } from "../dialing.ts";
import type { TimerWheel } from "../timer-wheel.ts";
import type { JoinOptions, Passage } from "./passage.ts";

export interface PassagePoolOptions {
  /** An IPv6 address stands without brackets. */
  readonly hostname: string;
  readonly port: number;
  readonly connectMs: number;
  /** 0 for no bound. */
  readonly maxConnections: number;
  readonly wheel: TimerWheel;
}

/** The connections to one endpoint that passages go on over, one for each: none is kept, none is used twice. */
export class PassagePool {
  /** Those that are being opened included. */
  open = 0;
  readonly #dialing: Dialing;
  readonly #maxConnections: number;

  constructor({ maxConnections, ...options }: PassagePoolOptions) {
    // What is passed brings its own TLS, if any.
    this.#dialing = new Dialing({ ...options, tls: null }, () => {});
    this.#maxConnections = maxConnections;
  }

  get isFull(): boolean {
    return this.#maxConnections > 0 && this.open >= this.#maxConnections;
  }

  /** Opens a connection and joins the passage with it, or says why there is none. `onClosed` is called either way. */
  connect(passage: Passage, options: JoinOptions, onFailure: (error: GatewayError) => void): void {
    this.open++;
    const onClosed = () => {
      this.open--;
      options.onClosed();
    };
    this.#dialing.open(passage, {
      opened(socket) {
        options.onOpened?.();
        return passage.join(socket, { ...options, onClosed });
      },
      failed: (error) => {
        onClosed();
        onFailure(error);
      },
    });
  }
}
