import { DEFAULT_WINDOW_BYTES, H2_CODE } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { SessionError } from "./session-error.ts";
import type { H2Stream } from "./stream.ts";

/** What the peer may send on a stream before somebody took any of it: the protocol's default, which needs no setting. */
const STREAM_WINDOW_BYTES = DEFAULT_WINDOW_BYTES;
/** What it may send ahead once it shows that somebody reads: a faster upload over a long way. */
const WIDE_WINDOW_BYTES = 256 * 1024;
/** On all streams together: so much one connection can make us hold. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024;

/** The windows that we give to the peer. They are opened again by what somebody has taken, and by nothing else. */
export class SessionCredit {
  readonly #writer: FrameWriter;
  #window = CONNECTION_WINDOW_BYTES;
  #owed = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** Opens the connection's window as wide as it will be. */
  begin(): void {
    this.#writer.windowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
  }

  /** Streams that are not taken have all but what one of them may need. */
  get isSpent(): boolean {
    return this.#window < STREAM_WINDOW_BYTES;
  }

  /** A stream that the peer may send on begins. */
  enroll(stream: H2Stream): void {
    stream.receiveWindow = STREAM_WINDOW_BYTES;
    stream.connection = this;
  }

  /** A DATA frame of that length, padding included. Throws SessionError when it is over the connection's window. */
  charge(length: number): void {
    this.#window -= length;
    if (this.#window < 0) throw new SessionError(H2_CODE.flow_control_error, "More came than the window takes.");
  }

  /** The same for its stream; false when it is over. */
  chargeStream(stream: H2Stream, length: number): boolean {
    stream.receiveWindow -= length;
    return stream.receiveWindow >= 0;
  }

  /** So many bytes were taken, or thrown away. Null for a stream that is not there any more. */
  give(stream: H2Stream | null, bytes: number): void {
    this.#owed += bytes;
    if (this.#owed >= CONNECTION_WINDOW_BYTES / 4) {
      this.#writer.windowUpdate(0, this.#owed);
      this.#window += this.#owed;
      this.#owed = 0;
    }
    if (stream === null || stream.isClosed || stream.isRemoteEnded || stream.isIgnored) return;
    stream.owedBytes += bytes;
    if (stream.owedBytes < STREAM_WINDOW_BYTES / 2) return;
    if (!stream.isWide) stream.owedBytes += WIDE_WINDOW_BYTES - STREAM_WINDOW_BYTES;
    stream.isWide = true;
    this.#writer.windowUpdate(stream.id, stream.owedBytes);
    stream.receiveWindow += stream.owedBytes;
    stream.owedBytes = 0;
  }
}
