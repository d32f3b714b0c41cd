import type { GatewayError } from "../../errors.ts";
import type { BodySink } from "../body.ts";
import type { HeaderList } from "../header-list.ts";
import { keep } from "../keep.ts";
import { ReceivedBody } from "../received-body.ts";
import type { H2Stream } from "./stream.ts";

/** What the one whose stream a body comes by wants to know. */
export interface StreamBodyOwner {
  /** The client waits for a 100 and nobody upstream will send one. */
  sendContinue(): void;
  /** Nobody wants the rest. */
  bodyCancelled(): void;
  /** The reader takes no more for now, or takes more again: only a reader that takes may blame the peer's silence. */
  bodyPaused(isPaused: boolean): void;
}

/**
 * A body that comes by a stream, either role's. Nothing is read ahead but what fits the stream's window: the peer gets
 * its window back when the reader has taken the bytes.
 */
export class StreamBody extends ReceivedBody {
  readonly length: number | null;
  /** Set when the client waits for a 100 before it sends. */
  expectsContinue = false;
  readonly #stream: H2Stream;
  readonly #owner: StreamBodyOwner;
  #sink: BodySink | null = null;
  #stash: Uint8Array[] = [];
  #isPaused = false;
  #isDiscarded = false;
  #owed = 0;
  #trailers: HeaderList | null = null;
  #error: GatewayError | null = null;

  /** `length`: the announced Content-Length, or null. */
  constructor(stream: H2Stream, owner: StreamBodyOwner, length: number | null) {
    super();
    this.#stream = stream;
    this.#owner = owner;
    this.length = length;
  }

  /** True while the reader takes no more: the peer's silence is not the peer's fault. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Takes bytes of the stream's. */
  feed(bytes: Uint8Array): void {
    if (!this.#isDiscarded) this.pace?.came(bytes.length);
    if (this.#sink === null) this.pace?.pause();
    if (this.#isDiscarded) this.#stream.carrier.credit(this.#stream, bytes.length);
    else if (this.#sink === null || this.#isPaused || this.#stash.length > 0) keep(this.#stash, bytes);
    else this.#give(this.#sink, bytes);
  }

  /** The last byte came. */
  finish(trailers: HeaderList | null): void {
    if (this.isComplete || this.#error !== null) return;
    this.isComplete = true;
    this.pace?.end();
    this.#trailers = trailers;
    if (this.#stash.length === 0) this.#sink?.end(trailers);
  }

  /** The body broke off, or broke a bound; whoever reads it hears of it. */
  fail(error: GatewayError): void {
    if (this.#error !== null || (this.isComplete && this.#stash.length === 0)) return;
    this.#error = error;
    this.pace?.end();
    this.#drop();
    this.#sink?.fail(error);
  }

  pipe(sink: BodySink): void {
    if (this.expectsContinue && !this.awaitsUpstreamContinue && !this.isComplete) this.#owner.sendContinue();
    this.#sink = sink;
    if (this.#error !== null) {
      sink.fail(this.#error);
      return;
    }
    if (!this.isComplete) this.pace?.resume();
    this.#deliver(sink);
    if (this.isComplete && this.#stash.length === 0 && !this.#isDiscarded) sink.end(this.#trailers);
  }

  pause(): void {
    if (this.#isPaused || (this.isComplete && this.#stash.length === 0)) return;
    this.#isPaused = true;
    this.pace?.pause();
    this.#owner.bodyPaused(true);
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.isComplete) this.pace?.resume();
    this.#owner.bodyPaused(false);
    this.#repay();
    const sink = this.#sink;
    if (sink === null || this.#stash.length === 0) return;
    this.#deliver(sink);
    if (this.isComplete && this.#stash.length === 0 && this.#sink === sink) sink.end(this.#trailers);
  }

  cancel(): void {
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    this.pace?.end();
    this.#isPaused = false;
    this.#sink = null;
    this.#drop();
    if (!this.isComplete && this.#error === null) this.#owner.bodyCancelled();
  }

  /** Gives what was kept, until the reader takes no more. */
  #deliver(sink: BodySink): void {
    while (!this.#isPaused && this.#sink === sink) {
      const piece = this.#stash.shift();
      if (piece === undefined) return;
      this.#give(sink, piece);
    }
  }

  #give(sink: BodySink, bytes: Uint8Array): void {
    const isTaken = sink.write(bytes);
    this.#owed += bytes.length;
    if (isTaken || this.#isDiscarded) this.#repay();
    else this.pause();
  }

  #repay(): void {
    const bytes = this.#owed;
    this.#owed = 0;
    if (bytes > 0) this.#stream.carrier.credit(this.#stream, bytes);
  }

  #drop(): void {
    for (const piece of this.#stash) this.#owed += piece.length;
    this.#stash = [];
    this.#repay();
  }
}
