import { GatewayError } from "../errors.ts";
import type { BodySink, BodySource } from "./body.ts";
import { ChunkedDecoder } from "./chunked.ts";
import type { HeaderList } from "./header-list.ts";
import type { Framing } from "./parse-response.ts";

const TRAILER_BYTES = 64 * 1024;

/** The connection that a response's body comes by. */
export interface ResponseBodyOwner {
  setPaused(isPaused: boolean): void;
  /** The last byte came; `hasMore` when bytes followed that belong to no response. */
  bodyEnded(hasMore: boolean): void;
  /** Nobody wants the rest. */
  bodyCancelled(): void;
  bodyMalformed(): void;
}

/** An upstream response's body, freed of its framing. Until somebody takes it, what comes is kept and reading pauses. */
export class ResponseBody implements BodySource {
  readonly framing: Framing;
  readonly length: number | null;
  readonly #owner: ResponseBodyOwner;
  readonly #decoder: ChunkedDecoder | null;
  #left: number;
  #sink: BodySink | null = null;
  #stash: Uint8Array[] = [];
  #prefetched: Uint8Array | null = null;
  #isEnded = false;
  #isPaused = false;
  #trailers: HeaderList | null = null;
  #error: GatewayError | null = null;

  constructor(owner: ResponseBodyOwner, framing: Framing, contentLength: number) {
    this.#owner = owner;
    this.framing = framing;
    this.length = framing === "length" ? contentLength : null;
    this.#left = contentLength;
    this.#decoder = framing === "chunked" ? new ChunkedDecoder(TRAILER_BYTES) : null;
  }

  /** Gives bytes that came with the head; they are valid until `settle`, so that they need not be copied. */
  prefetch(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#prefetched = bytes;
  }

  /** Keeps a copy of what `prefetch` gave and nobody took. */
  settle(): void {
    const bytes = this.#prefetched;
    this.#prefetched = null;
    if (bytes !== null) this.feed(bytes);
  }

  /** Takes bytes from the socket. */
  feed(bytes: Uint8Array): void {
    if (this.#isEnded || this.#error !== null) return;
    try {
      this.#decode(bytes);
    } catch (cause) {
      this.fail(new GatewayError("upstream_protocol", "The upstream's response body is malformed.", { cause }));
      this.#owner.bodyMalformed();
    }
  }

  pipe(sink: BodySink): void {
    this.#sink = sink;
    const waiting = this.#stash;
    this.#stash = [];
    let isTaken = true;
    for (const piece of waiting) isTaken = sink.write(piece);
    if (this.#error !== null) sink.fail(this.#error);
    else if (this.#isEnded) sink.end(this.#trailers);
    else if (isTaken) this.resume();
    const bytes = this.#prefetched;
    this.#prefetched = null;
    if (bytes !== null) this.feed(bytes);
  }

  pause(): void {
    if (this.#isEnded || this.#isPaused) return;
    this.#isPaused = true;
    this.#owner.setPaused(true);
  }

  resume(): void {
    if (this.#isEnded || !this.#isPaused) return;
    this.#isPaused = false;
    this.#owner.setPaused(false);
  }

  cancel(): void {
    this.#sink = null;
    this.#stash = [];
    if (this.#isEnded || this.#error !== null) return;
    this.#isEnded = true;
    this.#owner.bodyCancelled();
  }

  /** The last byte came. */
  end(trailers: HeaderList | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#trailers = trailers;
    this.#owner.bodyEnded(false);
    this.#sink?.end(trailers);
  }

  /** The connection broke off, or the body did; whoever reads it hears of it. */
  fail(error: GatewayError): void {
    if (this.#isEnded || this.#error !== null) return;
    this.#error = error;
    this.#sink?.fail(error);
  }

  #decode(bytes: Uint8Array): void {
    if (this.#decoder !== null) {
      const body = this.#decoder.decode(bytes);
      this.#deliver(body, this.#decoder.isDone);
      if (this.#decoder.isDone) this.#finish(this.#decoder.consumed < bytes.length, this.#decoder.trailers);
    } else if (this.framing === "close") this.#deliver(bytes, false);
    else {
      const take = Math.min(this.#left, bytes.length);
      this.#left -= take;
      this.#deliver(take === bytes.length ? bytes : bytes.subarray(0, take), this.#left === 0);
      if (this.#left === 0) this.#finish(take < bytes.length, null);
    }
  }

  /** The connection is given back before the reader hears of the end: its next request may use it. */
  #finish(hasMore: boolean, trailers: HeaderList | null): void {
    if (this.#isEnded) return;
    // A connection is given back reading, however slow the taker of its last bytes is.
    this.resume();
    this.#isEnded = true;
    this.#trailers = trailers;
    this.#owner.bodyEnded(hasMore);
    this.#sink?.end(trailers);
  }

  #deliver(bytes: Uint8Array, isLast: boolean): void {
    if (bytes.length === 0) return;
    if (this.#sink === null) this.#stash.push(Buffer.from(bytes));
    const isTaken = this.#sink?.write(bytes) ?? false;
    // After the last piece there is nothing to hold back, and pausing costs a system call.
    if (!isTaken && !isLast) this.pause();
  }
}
