import type { Socket } from "bun";
import type { GatewayError } from "../../errors.ts";
import type { ClientInfo } from "../exchange.ts";
import type { ListenerContext, ServerConnection } from "../listener-context.ts";
import { ResponseHeads } from "./downstream-response.ts";
import { type DownstreamParts, DownstreamStream } from "./downstream-stream.ts";
import { H2Session } from "./session.ts";
import type { SessionLimits, SessionOwner } from "./session-options.ts";

/** Requests that a client may have under way on one connection. */
const STREAMS_LIMIT = 128;

/** A client's connection that speaks HTTP/2: many requests at a time, each an exchange of its own. */
export class H2Downstream implements ServerConnection, SessionOwner {
  readonly #context: ListenerContext<H2Downstream>;
  readonly #session: H2Session;
  readonly #parts: DownstreamParts;

  /** The socket is open, and whatever comes on it, from the client's preface on, is given to `onData`. */
  constructor(socket: Socket<H2Downstream>, context: ListenerContext<H2Downstream>, client: ClientInfo) {
    this.#context = context;
    const limits = liveLimits(context);
    this.#session = new H2Session(socket, { role: "server", owner: this, limits, wheel: context.wheel });
    this.#parts = { context, client, heads: new ResponseHeads(this.#session.encoder) };
    this.#session.begin();
  }

  onData(bytes: Buffer): void {
    this.#session.onData(bytes);
  }

  onDrain(): void {
    this.#session.onDrain();
  }

  onEnd(): void {
    this.#session.onEnd();
  }

  onClose(isReset: boolean): void {
    this.#session.onClose(isReset);
  }

  drain(): void {
    this.#session.drain();
  }

  close(): void {
    this.#session.close();
  }

  get heldBytes(): number {
    return this.#session.heldBytes;
  }

  closeIdle(since: number): void {
    this.#session.closeIdle(since);
  }

  goAway(): void {
    for (const stream of this.#session.streams.all()) if (stream instanceof DownstreamStream) stream.goAway();
  }

  terminate(cause?: GatewayError): void {
    if (cause !== undefined) this.#blame(cause);
    this.#session.terminate();
  }

  #blame(cause: GatewayError): void {
    for (const stream of this.#session.streams.all()) if (stream instanceof DownstreamStream) stream.blame(cause);
  }

  accept(): DownstreamStream {
    // Not before it has asked for something: a client that is told so first could ask for nothing at all.
    if (this.#context.isDraining) this.#session.drain();
    return new DownstreamStream(this.#session, this.#parts);
  }

  settingsCame(): void {}

  going(): void {}

  /** Told to go before, the client has nothing left to wait for here: as HTTP/1.1 closes after a response. */
  streamClosed(): void {
    if (this.#context.isDraining && this.#session.streams.size === 0) this.#session.close();
  }

  closed(): void {
    this.#context.closed(this);
  }
}

/** The listener's limits may change while the connection stays; only what was announced does not. */
function liveLimits(context: Pick<ListenerContext<never>, "limits">): SessionLimits {
  return {
    headerListBytes: context.limits.headerBytes,
    maxStreams: STREAMS_LIMIT,
    get headMs() {
      return context.limits.headerTimeoutMs;
    },
    get idleMs() {
      return context.limits.idleTimeoutMs;
    },
  };
}
