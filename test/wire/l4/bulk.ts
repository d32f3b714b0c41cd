import type { Socket } from "bun";

// A period that is no power of two, so that bytes that are lost or doubled in whole blocks show.
const BLOCK = Buffer.from(Array.from({ length: 251 * 1021 }, (_, at) => (at * 7 + (at >> 8) * 13) & 255));

/** Sends a known stream of bytes over a socket, as fast as it is taken, and counts how much was. */
export class BulkSender {
  sentBytes = 0;
  readonly #totalBytes: number;
  #isEnded = false;

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  pump(socket: Socket<unknown>): void {
    while (this.sentBytes < this.#totalBytes) {
      const from = this.sentBytes % BLOCK.length;
      const length = Math.min(BLOCK.length - from, this.#totalBytes - this.sentBytes);
      const written = socket.write(BLOCK, from, length);
      if (written > 0) this.sentBytes += written;
      if (written < length) return;
    }
    if (this.#isEnded) return;
    this.#isEnded = true;
    socket.shutdown();
  }
}

/** Takes that stream and compares it. */
export class BulkReceiver {
  receivedBytes = 0;
  isIntact = true;

  take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const from = (this.receivedBytes + at) % BLOCK.length;
      const length = Math.min(BLOCK.length - from, bytes.length - at);
      if (BLOCK.compare(bytes, at, at + length, from, from + length) !== 0) this.isIntact = false;
      at += length;
    }
    this.receivedBytes += bytes.length;
  }
}

/** One end of a connection that sends one such stream and takes another. */
export class BulkPeer {
  readonly sender: BulkSender;
  readonly receiver = new BulkReceiver();
  readonly ended = Promise.withResolvers<void>();
  socket: Socket<BulkPeer> | null = null;

  constructor(sendBytes: number) {
    this.sender = new BulkSender(sendBytes);
  }
}

/** The handlers of a bulk peer's socket; `socket.data` must be set in `open`. */
export const bulkHandlers = {
  data: (socket: Socket<BulkPeer>, bytes: Buffer) => socket.data.receiver.take(bytes),
  drain: (socket: Socket<BulkPeer>) => socket.data.sender.pump(socket),
  end: (socket: Socket<BulkPeer>) => socket.data.ended.resolve(),
  close: (socket: Socket<BulkPeer>) => socket.data.ended.resolve(),
  error: (socket: Socket<BulkPeer>) => socket.data.ended.resolve(),
} as const;
