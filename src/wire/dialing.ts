import type { Socket } from "bun";
import { GatewayError } from "../errors.ts";
import { Dial, type Dialer, type DialOptions } from "./dial.ts";
import { now } from "./event.ts";
import type { SocketOwner } from "./socket-events.ts";

/** So many tries that nobody waits for any more may stay open at once; beyond, only one in a while is made. */
const ABANDONED_LIMIT = 64;
const PROBE_MS = 100;

/** Hears what becomes of a connection that is being opened: `opened` or `failed`, once. */
export interface DialingOwner {
  opened(socket: Socket<unknown>): SocketOwner;
  failed(error: GatewayError): void;
}

/** The connections to one address that are being opened, and the bound on those that the runtime cannot call off. */
export class Dialing {
  /** Connections that are being opened, those nobody waits for any more included. */
  count = 0;
  readonly #options: DialOptions;
  readonly #onSettled: () => void;
  #abandoned = 0;
  #dialedAt = 0;

  /** `onSettled` hears of each end, after the dial's own owner. */
  constructor(options: DialOptions, onSettled: () => void) {
    this.#options = options;
    this.#onSettled = onSettled;
  }

  open(dialer: Dialer, owner: DialingOwner): void {
    if (this.#abandoned >= ABANDONED_LIMIT && now() - this.#dialedAt < PROBE_MS) {
      const detail = "The upstream accepts no connections.";
      owner.failed(new GatewayError("upstream_connect", detail, { sent: "nothing" }));
      return;
    }
    this.#dialedAt = now();
    this.count++;
    new Dial(dialer, this.#options, {
      opened: (socket) => owner.opened(socket),
      failed: (error) => owner.failed(error),
      abandoned: () => {
        this.#abandoned++;
      },
      settled: (wasAbandoned) => {
        this.count--;
        if (wasAbandoned) this.#abandoned--;
        this.#onSettled();
      },
    });
  }
}
