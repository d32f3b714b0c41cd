import type { GatewayError } from "../errors.ts";
import type { BodySink, BodySource } from "./body.ts";
import type { HeaderList } from "./header-list.ts";
import { keep } from "./keep.ts";

/** So much of a body is kept for the case that its request has to be sent again. */
const KEPT_BYTES = 64 * 1024;

/**
 * A request's body on its way to an endpoint that may yet refuse to look at it, or fail: as long as little has passed,
 * and nobody is content with a response, another attempt may take it from the beginning.
 */
export class RepeatableBody implements BodySource, BodySink {
  readonly length: number | null;
  /** Called once all of it has come, if it is kept. */
  onWhole: (() => void) | null = null;
  readonly #source: BodySource;
  #sink: BodySink | null = null;
  #kept: Uint8Array[] | null = [];
  #keptBytes = 0;
  #isHeld: boolean;
  #isPiped = false;
  /** Read without a sink. */
  #isPrefetched = false;
  #isEnded = false;
  #trailers: HeaderList | null = null;
  #error: GatewayError | null = null;

  /** `isHeld`: that an attempt got a response, or gave the body up, does not matter until `release` is called. */
  constructor(source: BodySource, isHeld = false) {
    this.#source = source;
    this.#isHeld = isHeld;
    this.length = source.length;
  }

  get canRepeat(): boolean {
    return this.#kept !== null;
  }

  /** True once all of it has come, and is short enough: several attempts may send it at once. */
  get isWhole(): boolean {
    return this.#isEnded && this.#kept !== null && this.#keptBytes <= KEPT_BYTES;
  }

  /** The same body for another attempt, from its beginning; this one goes on as it is. To be asked of a whole one. */
  fork(): RepeatableBody {
    const fork = new RepeatableBody(this.#source, true);
    fork.#kept = this.#kept;
    fork.#trailers = this.#trailers;
    fork.#isPiped = true;
    fork.#isEnded = true;
    return fork;
  }

  /** Begins to read, as far as may be kept, before anybody takes the body. */
  prefetch(): void {
    if (this.#isPiped) return;
    this.#isPiped = true;
    this.#isPrefetched = true;
    this.#source.pipe(this);
  }

  pipe(sink: BodySink): void {
    this.#sink = sink;
    this.#isPrefetched = false;
    if (!this.#isPiped) {
      this.#isPiped = true;
      this.#source.pipe(this);
      return;
    }
    let isTaken = true;
    for (const piece of this.#kept ?? []) isTaken = sink.write(piece);
    if (this.#error !== null) sink.fail(this.#error);
    else if (this.#isEnded) sink.end(this.#trailers);
    else if (isTaken) this.#source.resume();
    else this.#source.pause();
  }

  pause(): void {
    if (!this.#isEnded) this.#source.pause();
  }

  resume(): void {
    if (!this.#isEnded) this.#source.resume();
  }

  cancel(): void {
    if (this.#isHeld && this.#kept !== null) {
      this.rewind();
      return;
    }
    this.#sink = null;
    this.#kept = null;
    this.#source.cancel();
  }

  /** Nothing is repeated any more, unless the body is held. */
  commit(): void {
    if (!this.#isHeld) this.#kept = null;
  }

  /** Lets go of a body that is held: nothing is repeated any more, and what nobody takes is given up. */
  release(): void {
    this.#isHeld = false;
    if (this.#isPiped && this.#sink === null && !this.#isEnded) this.cancel();
    else if (this.#isPiped) this.#kept = null;
  }

  /** The sink takes no more; the next one begins anew, and until there is one nothing is read. */
  rewind(): void {
    this.#sink = null;
    this.#isPrefetched = false;
    if (!this.#isEnded) this.#source.pause();
  }

  write(bytes: Uint8Array): boolean {
    this.#keep(bytes);
    return this.#sink?.write(bytes) ?? (this.#isPrefetched && this.#keptBytes < KEPT_BYTES);
  }

  end(trailers: HeaderList | null): void {
    this.#isEnded = true;
    this.#trailers = trailers;
    this.#sink?.end(trailers);
    if (this.isWhole) this.onWhole?.();
  }

  fail(error: GatewayError): void {
    this.#kept = null;
    this.#error = error;
    this.#sink?.fail(error);
  }

  #keep(bytes: Uint8Array): void {
    if (this.#kept === null) return;
    this.#keptBytes += bytes.length;
    // Without a sink what comes is not to be lost, however much that is; the source was asked to pause.
    if (this.#keptBytes <= KEPT_BYTES || this.#sink === null) keep(this.#kept, bytes);
    else this.#kept = null;
  }
}
