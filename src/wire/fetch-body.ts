import { GatewayError, toGatewayError } from "../errors.ts";
import type { BodySink, BodySource } from "./body.ts";
import { enter, leave } from "./event.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Read = Promise<{ readonly done: boolean; readonly value?: unknown }>;

/** What is needed of a stream's reader. */
interface Reader {
  read(): Read;
  cancel(): Promise<void>;
}

/** A stream over a source that begins with the first read; back-pressure reaches the source. */
export class LazyBody implements BodySink {
  readonly source: BodySource;
  readonly stream: ReadableStream<Uint8Array>;
  /** True once a byte was asked for: from then on the source belongs to the stream. */
  isStarted = false;
  #isTaken = false;
  readonly #onBytes: ((bytes: Bytes | null) => void) | null;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  /** `onBytes` sees a copy of every chunk, and null at a clean end. */
  constructor(source: BodySource, onBytes: ((bytes: Bytes | null) => void) | null = null) {
    this.source = source;
    this.#onBytes = onBytes;
    const cancel = () => this.#cancel();
    // Without room of its own the stream pulls only for a waiting reader.
    this.stream = new ReadableStream({ pull: (controller) => this.#pull(controller), cancel }, { highWaterMark: 0 });
    BY_STREAM.set(this.stream, this);
  }

  /** True while nobody read and nobody holds a reader: the source may still be taken as a whole. */
  get isUntouched(): boolean {
    return !this.isStarted && !this.#isTaken && !this.stream.locked;
  }

  /** The source, to be sent as a whole; who reads the stream later gets a TypeError. Only while it is untouched. */
  take(): BodySource {
    this.#isTaken = true;
    return this.source;
  }

  write(bytes: Uint8Array): boolean {
    const copy = new Uint8Array(bytes);
    this.#onBytes?.(copy);
    this.#controller?.enqueue(copy);
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  end(): void {
    this.#onBytes?.(null);
    this.#controller?.close();
  }

  fail(error: GatewayError): void {
    this.#controller?.error(error);
  }

  #pull(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    if (this.#isTaken) {
      controller.error(new TypeError("Body already used"));
      return;
    }
    if (this.isStarted) {
      this.source.resume();
      return;
    }
    this.isStarted = true;
    this.source.pipe(this);
  }

  #cancel(): void {
    this.isStarted = true;
    if (!this.#isTaken) this.source.cancel();
  }
}

const BY_STREAM = new WeakMap<ReadableStream, LazyBody>();

/**
 * The lazy body behind a stream, or null. Wrapping a stream in a Request or Response keeps its identity,
 * which is how an untouched body is found again and sent socket to socket.
 */
export function lazyBodyOf(stream: ReadableStream): LazyBody | null {
  return BY_STREAM.get(stream) ?? null;
}

/** A source of bytes at hand. It may be piped more than once: what was kept can be sent again. */
export class BytesSource implements BodySource {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get length(): number {
    return this.bytes.length;
  }

  pipe(sink: BodySink): void {
    if (this.bytes.length > 0) sink.write(this.bytes);
    sink.end(null);
  }

  pause(): void {}
  resume(): void {}
  cancel(): void {}
}

function joined(chunks: readonly Bytes[], size: number): Bytes {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Gathers the chunks of a body up to a bound. */
export class Gathered {
  readonly maxBytes: number;
  readonly #chunks: Bytes[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get isOver(): boolean {
    return this.#size > this.maxBytes;
  }

  add(chunk: Bytes): void {
    this.#size += chunk.length;
    if (this.isOver) this.#chunks.length = 0;
    else this.#chunks.push(chunk);
  }

  bytes(): Bytes {
    return joined(this.#chunks, this.#size);
  }
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError("payload_too_large", `A plugin reads this body, which may have at most ${maxBytes} bytes.`);
}

/** Reads a source to its end. Rejects with what it fails with, and with `payload_too_large` over the bound. */
export function collect(source: BodySource, maxBytes = Number.POSITIVE_INFINITY): Promise<Bytes> {
  const { promise, resolve, reject } = Promise.withResolvers<Bytes>();
  const gathered = new Gathered(maxBytes);
  if (source.length !== null && source.length > maxBytes) return Promise.reject(tooLarge(maxBytes));
  source.pipe({
    write(bytes) {
      gathered.add(new Uint8Array(bytes));
      if (!gathered.isOver) return true;
      source.cancel();
      reject(tooLarge(maxBytes));
      return false;
    },
    end: () => resolve(gathered.bytes()),
    fail: reject,
  });
  return promise;
}

const ENCODER = new TextEncoder();

function toBytes(chunk: unknown): Bytes {
  if (chunk instanceof Uint8Array) return new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.length);
  if (typeof chunk === "string") return ENCODER.encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new TypeError("a body's stream may only yield bytes and strings");
}

/** A source over a stream. An error in the stream becomes `fail`, never a clean end. */
export class StreamSource implements BodySource {
  readonly length: number | null;
  readonly #reader: Reader;
  readonly #ahead: Read[];
  #isPaused = false;
  #isCancelled = false;
  #wake: (() => void) | null = null;

  /** `ahead` are reads of this reader that were issued already, oldest first. */
  constructor(reader: Reader, length: number | null, ahead: Read[] = []) {
    this.#reader = reader;
    this.length = length;
    this.#ahead = ahead;
  }

  pipe(sink: BodySink): void {
    void this.#pump(sink);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake?.();
    this.#wake = null;
  }

  cancel(): void {
    this.#isCancelled = true;
    this.resume();
    this.#reader.cancel().catch(ignore);
  }

  async #pump(sink: BodySink): Promise<void> {
    for (;;) {
      const chunk = await this.#next();
      if (this.#isCancelled) return;
      if (chunk === null) return sink.end(null);
      if (chunk instanceof GatewayError) return sink.fail(chunk);
      if (!this.#give(sink, chunk)) this.#isPaused = true;
      if (this.#isPaused) await this.#resumed();
    }
  }

  /** A chunk and its framing leave in one system call. */
  #give(sink: BodySink, chunk: Bytes): boolean {
    enter();
    try {
      return sink.write(chunk);
    } finally {
      leave();
    }
  }

  async #next(): Promise<Bytes | GatewayError | null> {
    try {
      const { done, value } = await (this.#ahead.shift() ?? this.#reader.read());
      return done ? null : toBytes(value);
    } catch (thrown) {
      return toGatewayError(thrown);
    }
  }

  #resumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function ignore(): void {}

/** Up to here a body that is at hand is sent whole, with its length. */
const AT_HAND_BYTES = 256 * 1024;

async function isSettled(read: Read): Promise<boolean> {
  // What is in memory is there within two turns of the microtask queue (measured); a real stream comes later.
  for (let turn = 0; turn < 2 && Bun.peek.status(read) === "pending"; turn++) await null;
  return Bun.peek.status(read) !== "pending";
}

/**
 * A stream's body: bytes when all of it is at hand (strings, bytes and blobs are), else a source.
 * Nothing is waited for, so the head of a slow stream can leave at once. Rejects if the stream is locked or failed.
 */
export async function bodyOf(stream: ReadableStream<unknown>): Promise<Uint8Array | BodySource> {
  const reader: Reader = stream.getReader();
  const gathered = new Gathered(AT_HAND_BYTES);
  const ahead: Read[] = [];
  for (;;) {
    const read: Read = reader.read();
    ahead.push(read);
    read.catch(ignore);
    if (!(await isSettled(read))) return new StreamSource(reader, null, ahead);
    const { done, value } = await read;
    if (done) return gathered.bytes();
    gathered.add(toBytes(value));
    if (gathered.isOver) return new StreamSource(reader, null, ahead);
  }
}
