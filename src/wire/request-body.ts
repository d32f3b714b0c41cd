import { GatewayError } from "../errors.ts";
import type { BodySink } from "./body.ts";
import { ChunkedDecoder } from "./chunked.ts";
import type { Exchange } from "./exchange.ts";
import type { HeaderList } from "./header-list.ts";
import { ReceivedBody } from "./received-body.ts";

/** The connection that a request's body comes by. */
export interface RequestBodyOwner {
  /** True while anybody but the reader itself keeps the socket from being read. */
  setBodyPaused(isPaused: boolean): void;
  /** The client waits for a 100 and nobody upstream will send one. */
  sendContinue(): void;
  /** The last byte came. */
  bodyEnded(): void;
  /** The body broke the grammar, a limit, or off: the connection is of no use any more. */
  bodyFailed(error: GatewayError): void;
}

export interface RequestBodyLimits {
  /** Null for no bound. */
  readonly bodyBytes: number | null;
  readonly trailerBytes: number;
}

/** A request's body, freed of its framing. Until somebody takes it, what comes is kept and the socket pauses. */
export class RequestBody extends ReceivedBody {
  readonly length: number | null;
  exchange: Exchange | null = null;
  readonly #owner: RequestBodyOwner;
  readonly #decoder: ChunkedDecoder | null;
  readonly #bodyBytes: number | null;
  #left: number;
  #received = 0;
  #sink: BodySink | null = null;
  #isDiscarded = false;
  #stash: Uint8Array[] = [];
  #prefetched: Uint8Array | null = null;
  #trailers: HeaderList | null = null;
  #error: GatewayError | null = null;

  /** `length` is the Content-Length, or null for a chunked body. */
  constructor(owner: RequestBodyOwner, length: number | null, limits: RequestBodyLimits) {
    super();
    this.#owner = owner;
    this.length = length;
    this.#left = length ?? 0;
    this.#decoder = length === null ? new ChunkedDecoder(limits.trailerBytes) : null;
    this.#bodyBytes = limits.bodyBytes;
  }

  /** Gives bytes that came with the head; they are valid until `settle`, so that they need not be copied. */
  prefetch(bytes: Uint8Array): void {
    this.#prefetched = bytes;
  }

  /** Decodes what `prefetch` gave and nobody took. Returns what follows the body. */
  settle(): Uint8Array | null {
    const bytes = this.#prefetched;
    this.#prefetched = null;
    return bytes === null ? null : this.feed(bytes);
  }

  /** Takes bytes from the socket. Returns what follows the body, or null. */
  feed(bytes: Uint8Array): Uint8Array | null {
    if (this.isComplete || this.#error !== null) return bytes;
    try {
      return this.#decoder === null ? this.#feedLength(bytes) : this.#feedChunked(bytes, this.#decoder);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.fail(error);
      return null;
    }
  }

  pipe(sink: BodySink): void {
    if (this.exchange?.expectsContinue && !this.awaitsUpstreamContinue && !this.isComplete) this.#owner.sendContinue();
    this.#sink = sink;
    this.resume();
    const waiting = this.#stash;
    this.#stash = [];
    let isTaken = true;
    for (const piece of waiting) isTaken = sink.write(piece);
    if (this.#error !== null) sink.fail(this.#error);
    else if (this.isComplete) sink.end(this.#trailers);
    else if (!isTaken) this.pause();
    // What follows the body goes back into `prefetched`, for `settle`.
    if (this.#prefetched !== null) this.#prefetched = this.feed(this.#prefetched);
  }

  pause(): void {
    if (this.isComplete) return;
    this.pace?.pause();
    this.#owner.setBodyPaused(true);
  }

  resume(): void {
    if (!this.isComplete) this.pace?.resume();
    this.#owner.setBodyPaused(false);
  }

  cancel(): void {
    this.#sink = null;
    this.#stash = [];
    this.#isDiscarded = true;
    this.pace?.end();
    this.#owner.setBodyPaused(false);
  }

  /** Ends the body with an error: for its reader, and for the connection. */
  fail(error: GatewayError): void {
    if (this.isComplete || this.#error !== null) return;
    this.#error = error;
    this.pace?.end();
    this.#sink?.fail(error);
    this.#owner.bodyFailed(error);
  }

  #feedLength(bytes: Uint8Array): Uint8Array | null {
    const take = Math.min(this.#left, bytes.length);
    this.#left -= take;
    this.#deliver(take === bytes.length ? bytes : bytes.subarray(0, take));
    if (this.#left === 0) this.#complete(null);
    return take === bytes.length ? null : bytes.subarray(take);
  }

  #feedChunked(bytes: Uint8Array, decoder: ChunkedDecoder): Uint8Array | null {
    this.#deliver(decoder.decode(bytes));
    if (!decoder.isDone) return null;
    this.#complete(decoder.trailers);
    return decoder.consumed === bytes.length ? null : bytes.subarray(decoder.consumed);
  }

  #deliver(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#received += bytes.length;
    if (!this.#isDiscarded) this.pace?.came(bytes.length);
    if (this.exchange !== null) this.exchange.bytesReceived = this.#received;
    if (this.#bodyBytes !== null && this.#received > this.#bodyBytes) {
      throw new GatewayError("payload_too_large", `The body is over ${this.#bodyBytes} bytes.`);
    }
    if (this.#sink !== null) {
      if (!this.#sink.write(bytes)) this.pause();
    } else if (!this.#isDiscarded) {
      this.#stash.push(Buffer.from(bytes));
      this.pause();
    }
  }

  #complete(trailers: HeaderList | null): void {
    this.isComplete = true;
    this.pace?.end();
    this.#trailers = trailers;
    this.#owner.bodyEnded();
    this.#sink?.end(trailers);
  }
}
