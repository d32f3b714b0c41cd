import { FLAG, FRAME, FRAME_HEAD_BYTES, H2_CODE, MAX_FRAME_BYTES } from "./frame.ts";
import { protocolError, SessionError } from "./session-error.ts";

/**
 * Takes frames as they come. Bytes are valid during the call only. What it throws ends the reading; it may also say
 * `stop`.
 */
export interface FrameHandler {
  /** A frame's head came: the reader tells type, flags, stream and length. For DATA its pieces follow. */
  frameBegan(): void;
  /** The whole payload of a frame that is no DATA. */
  payloadCame(bytes: Buffer, from: number, to: number): void;
  /** A piece of a DATA frame, without padding; never empty. */
  dataCame(bytes: Buffer, from: number, to: number): void;
  /** A DATA frame is over, its padding included. */
  dataEnded(): void;
}

/** Reads frames from a stream of bytes that is cut anyhow. DATA is passed on as it comes, other payloads whole. */
export class FrameReader {
  length = 0;
  type = 0;
  flags = 0;
  streamId = 0;
  readonly #handler: FrameHandler;
  readonly #head = new Uint8Array(FRAME_HEAD_BYTES);
  #headUsed = 0;
  /** Payload bytes of the current frame that have not come; -1 between frames. */
  #left = -1;
  /** Padding bytes at the end of the current DATA frame; -1 before its length byte came. */
  #padding = 0;
  #partial: Buffer | null = null;
  #partialUsed = 0;
  #isStopped = false;
  #isPaused = false;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** True when the last bytes ended in the middle of a frame that is no DATA. */
  get isInFrame(): boolean {
    return this.#headUsed > 0 || (this.#left >= 0 && this.type !== FRAME.data);
  }

  /** Reads no more, not even the rest of what `feed` was given. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Reads no more of what `feed` was given than the frame under way. */
  pause(): void {
    this.#isPaused = true;
  }

  /**
   * Takes bytes from the socket; returns how many, all of them unless it was told to pause. Throws SessionError, and
   * whatever the handler throws.
   */
  feed(bytes: Buffer): number {
    let at = 0;
    this.#isPaused = false;
    while (at < bytes.length && !this.#isPaused) {
      if (this.#isStopped) return bytes.length;
      if (this.#left < 0) {
        at = this.#takeHead(bytes, at);
        if (this.#left < 0) break;
        this.#begin();
      }
      at = this.type === FRAME.data ? this.#takeData(bytes, at) : this.#takePayload(bytes, at);
    }
    return at;
  }

  #takeHead(bytes: Uint8Array, from: number): number {
    if (this.#headUsed === 0 && bytes.length - from >= FRAME_HEAD_BYTES) {
      this.#parseHead(bytes, from);
      return from + FRAME_HEAD_BYTES;
    }
    let at = from;
    while (this.#headUsed < FRAME_HEAD_BYTES && at < bytes.length) this.#head[this.#headUsed++] = bytes[at++] ?? 0;
    if (this.#headUsed < FRAME_HEAD_BYTES) return at;
    this.#headUsed = 0;
    this.#parseHead(this.#head, 0);
    return at;
  }

  #parseHead(b: Uint8Array, at: number): void {
    this.length = ((b[at] ?? 0) << 16) | ((b[at + 1] ?? 0) << 8) | (b[at + 2] ?? 0);
    this.type = b[at + 3] ?? 0;
    this.flags = b[at + 4] ?? 0;
    this.streamId = readUint31(b, at + 5);
    this.#left = this.length;
  }

  #begin(): void {
    if (this.length > MAX_FRAME_BYTES) {
      throw new SessionError(H2_CODE.frame_size_error, `A frame is over ${MAX_FRAME_BYTES} bytes.`);
    }
    this.#padding = 0;
    this.#handler.frameBegan();
    if (this.type !== FRAME.data || (this.flags & FLAG.padded) === 0) return;
    if (this.length === 0) throw new SessionError(H2_CODE.frame_size_error, "A padded frame has no pad length.");
    this.#padding = -1;
  }

  #takeData(bytes: Buffer, from: number): number {
    let at = from;
    if (this.#padding < 0) {
      if (at === bytes.length) return at;
      this.#padding = bytes[at++] ?? 0;
      this.#left--;
      if (this.#padding > this.#left) throw protocolError("A frame's padding is longer than the frame.");
    }
    const end = Math.min(bytes.length, at + this.#left - this.#padding);
    if (end > at) {
      this.#left -= end - at;
      this.#handler.dataCame(bytes, at, end);
      at = end;
    }
    if (this.#left <= this.#padding) {
      const skipped = Math.min(this.#left, bytes.length - at);
      this.#left -= skipped;
      this.#padding -= skipped;
      at += skipped;
    }
    if (this.#left === 0) {
      this.#left = -1;
      this.#handler.dataEnded();
    }
    return at;
  }

  #takePayload(bytes: Buffer, from: number): number {
    const end = Math.min(bytes.length, from + this.#left);
    const isWhole = end - from === this.#left;
    if (isWhole && this.#partial === null) {
      this.#left = -1;
      this.#handler.payloadCame(bytes, from, end);
      return end;
    }
    this.#partial ??= Buffer.alloc(this.length);
    this.#partial.set(bytes.subarray(from, end), this.#partialUsed);
    this.#partialUsed += end - from;
    this.#left -= end - from;
    if (!isWhole) return end;
    const whole = this.#partial;
    this.#partial = null;
    this.#partialUsed = 0;
    this.#left = -1;
    this.#handler.payloadCame(whole, 0, whole.length);
    return end;
  }
}

/** 32 bits, unsigned, in network order. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return readUint31(bytes, at) + ((bytes[at] ?? 0) & 128 ? 0x8000_0000 : 0);
}

/** 32 bits in network order without the first, which is reserved (RFC 9113 4.1). */
export function readUint31(b: Uint8Array, at: number): number {
  return (((b[at] ?? 0) & 127) << 24) | ((b[at + 1] ?? 0) << 16) | ((b[at + 2] ?? 0) << 8) | (b[at + 3] ?? 0);
}
