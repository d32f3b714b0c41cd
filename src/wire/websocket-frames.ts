const CLOSE = 8;
const FIN = 0x80;
const MASKED = 0x80;

/** Walks over the frames of one direction of a WebSocket (RFC 6455 5.2): counts, copies nothing, judges nothing. */
export class FrameWalker {
  /** A close frame has begun: no message follows it. */
  isClosing = false;
  /** Payload of the frame under way that is still to come. */
  #left = 0;
  /** Parts of a frame's head that are still to come; none of them between frames. */
  #headBytes = 0;
  #lengthBytes = 0;
  #opcode = 0;
  #isFinal = true;
  /** A message of several frames has begun and not ended. */
  #isInMessage = false;

  /** No frame is under way, and no message of several of them. */
  get isBetween(): boolean {
    return this.#left === 0 && this.#headBytes === 0 && !this.#isInMessage;
  }

  /** A whole close frame has passed. */
  get hasClosed(): boolean {
    return this.isClosing && this.#left === 0 && this.#headBytes === 0;
  }

  /** Walks on from there to the end; with `stops` only as far as the next place between messages. Returns where it is. */
  walk(bytes: Uint8Array, from: number, stops: boolean): number {
    const end = bytes.length;
    let at = from;
    while (at < end) {
      if (this.#headBytes === 0 && this.#left > 0) {
        const step = Math.min(this.#left, end - at);
        this.#left -= step;
        at += step;
      } else at = this.#head(bytes, at);
      if (stops && this.isBetween) return at;
    }
    return at;
  }

  /** Reads a head as far as it is there. */
  #head(bytes: Uint8Array, from: number): number {
    let at = from;
    if (this.#headBytes === 0) this.#first(bytes[at++] ?? 0);
    if (this.#lengthBytes < 0 && at < bytes.length) this.#second(bytes[at++] ?? 0);
    while (this.#headBytes > 0 && this.#lengthBytes >= 0 && at < bytes.length) {
      const byte = bytes[at++] ?? 0;
      this.#headBytes--;
      // The length comes first, then the mask.
      if (this.#lengthBytes === 0) continue;
      this.#lengthBytes--;
      this.#left = this.#left * 256 + byte;
    }
    return at;
  }

  #first(byte: number): void {
    this.#opcode = byte & 0x0f;
    this.#isFinal = (byte & FIN) !== 0;
    this.#headBytes = 1;
    // Not known before the next byte.
    this.#lengthBytes = -1;
  }

  #second(byte: number): void {
    const length = byte & 0x7f;
    this.#lengthBytes = length === 127 ? 8 : length === 126 ? 2 : 0;
    this.#headBytes = this.#lengthBytes + ((byte & MASKED) === 0 ? 0 : 4);
    this.#left = length < 126 ? length : 0;
    if (this.#opcode === CLOSE) this.isClosing = true;
    // Control frames may stand between those of a message and are none of them.
    else if (this.#opcode < CLOSE) this.#isInMessage = !this.#isFinal;
  }
}

const REASON = "going away";

/** A close frame with code 1001, as the gateway sends it: masked towards servers, plain towards clients. */
export function goingAwayFrame(isMasked: boolean): Uint8Array {
  const payload = Buffer.concat([Buffer.from([0x03, 0xe9]), Buffer.from(REASON)]);
  const head = Buffer.from([FIN | CLOSE, (isMasked ? MASKED : 0) | payload.length]);
  if (!isMasked) return Buffer.concat([head, payload]);
  const key = crypto.getRandomValues(Buffer.alloc(4));
  return Buffer.concat([head, key, payload.map((byte, at) => byte ^ (key[at % 4] ?? 0))]);
}
