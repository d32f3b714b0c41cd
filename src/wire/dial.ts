import type { Socket } from "bun";
import { GatewayError } from "../errors.ts";
import type { Attempt } from "./attempt.ts";
import { inEvent } from "./event.ts";
import { socketEvents } from "./socket-events.ts";
import { Timer, type TimerWheel } from "./timer-wheel.ts";
import type { Upstream } from "./upstream.ts";

export interface DialOptions {
  readonly hostname: string;
  readonly port: number;
  readonly connectMs: number;
  readonly wheel: TimerWheel;
}

/** Hears what becomes of a dial: `opened` or `failed` once, then `settled` when the runtime is done with it. */
export interface DialOwner {
  opened(socket: Socket<Upstream>): void;
  failed(error: GatewayError): void;
  /** Nobody waits for it any more, but the runtime cannot call it off: it still holds a descriptor. */
  abandoned(): void;
  settled(wasAbandoned: boolean): void;
}

const SENT_NOTHING = { sent: "nothing" } as const;

/** One try to open a connection for an attempt, within a time. Begins when it is made. */
export class Dial extends Timer {
  readonly #attempt: Attempt;
  readonly #options: DialOptions;
  readonly #owner: DialOwner;
  #isOver = false;
  #isAbandoned = false;

  constructor(attempt: Attempt, options: DialOptions, owner: DialOwner) {
    super();
    this.#attempt = attempt;
    this.#options = options;
    this.#owner = owner;
    attempt.exchange.onGone = (reason) => this.#abandon(reason);
    options.wheel.arm(this, options.connectMs);
    connect(options, (socket) => this.#opened(socket))
      .catch((cause: unknown) => {
        this.#fail(new GatewayError("upstream_connect", "The upstream cannot be reached.", { cause, ...SENT_NOTHING }));
      })
      .finally(() => owner.settled(this.#isAbandoned));
  }

  override fire(): void {
    const detail = "The upstream did not accept a connection in time.";
    this.#abandon(new GatewayError("upstream_connect", detail, SENT_NOTHING));
  }

  #opened(socket: Socket<Upstream>): void {
    if (this.#isOver) {
      socket.terminate();
      return;
    }
    this.#end();
    this.#owner.opened(socket);
  }

  #abandon(error: GatewayError): void {
    if (this.#isOver) return;
    this.#isAbandoned = true;
    this.#owner.abandoned();
    this.#fail(error);
  }

  #fail(error: GatewayError): void {
    if (this.#isOver) return;
    this.#end();
    this.#owner.failed(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#options.wheel.remove(this);
    this.#attempt.exchange.onGone = null;
  }
}

async function connect(options: DialOptions, opened: (socket: Socket<Upstream>) => void): Promise<void> {
  await Bun.connect<Upstream>({
    hostname: options.hostname,
    port: options.port,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        socket.setNoDelay(true);
        inEvent(socket, opened);
      },
      ...socketEvents<Upstream>(),
      // The rejected promise tells the same; without this handler the runtime would also print the error.
      connectError() {},
    },
  });
}
