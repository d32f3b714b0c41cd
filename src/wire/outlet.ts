import type { Socket } from "bun";
import { type Gatherer, gatherIn, gathering, isInEvent } from "./event.ts";
import { freeBuffer } from "./free-buffer.ts";

/** What one event writes leaves in one `write`, when it fits here. */
const SCRATCH_BYTES = 64 * 1024;
/** Pieces up to this size are copied behind what waits already; larger ones leave by themselves. */
const COPY_BYTES = 32 * 1024;

const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
let used = 0;

/**
 * The writing side of one socket: gathers small writes into one, keeps what the kernel did not take, and says
 * when to stop. Order is kept whatever other outlets do meanwhile. After the socket closed, writes are dropped.
 */
export class Outlet implements Gatherer {
  readonly #socket: Socket<unknown>;
  #pending: Buffer[] | null = null;
  #endsAfter = false;
  #isEnded = false;

  constructor(socket: Socket<unknown>) {
    this.#socket = socket;
  }

  /** True while bytes wait for the peer: the source of more should pause until `drain` returned true. */
  get isBlocked(): boolean {
    return this.#pending !== null;
  }

  /** How many bytes wait for the peer. */
  get heldBytes(): number {
    return this.#pending?.reduce((sum, { length }) => sum + length, 0) ?? 0;
  }

  /** True once `end` was called: the peer gets nothing more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Writes text of octets (Latin-1). */
  text(text: string): void {
    if (text.length > SCRATCH_BYTES) {
      this.bytes(Buffer.from(text, "latin1"));
      return;
    }
    this.#reserve(text.length);
    used += scratch.write(text, used, "latin1");
    if (!isInEvent()) this.flush();
  }

  /** Writes bytes; they need to be valid during the call only. */
  bytes(bytes: Uint8Array): void {
    if (bytes.length > COPY_BYTES) {
      this.flush();
      this.#write(bytes, 0, bytes.length);
      return;
    }
    this.#reserve(bytes.length);
    scratch.set(bytes, used);
    used += bytes.length;
    if (!isInEvent()) this.flush();
  }

  /** Sends what was gathered here. */
  flush(): void {
    if (gathering() !== this) return;
    gatherIn(null);
    const length = used;
    used = 0;
    if (length > 0) this.#write(scratch, 0, length);
  }

  /** Call in the socket's `drain`. True when nothing waits any more. */
  drain(): boolean {
    const waiting = this.#pending;
    if (waiting === null) return true;
    this.#pending = null;
    for (const piece of waiting) {
      this.#write(piece, 0, piece.length);
      freeBuffer(piece);
    }
    if (this.#pending !== null) return false;
    if (this.#endsAfter) this.#socket.shutdown();
    return true;
  }

  /** Gives up what waits: the socket is gone. */
  discard(): void {
    for (const piece of this.#pending ?? []) freeBuffer(piece);
    this.#pending = null;
  }

  /** Half-closes once everything is sent. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.flush();
    if (this.#pending === null) this.#socket.shutdown();
    else this.#endsAfter = true;
  }

  #reserve(length: number): void {
    gatherIn(this);
    if (used + length <= SCRATCH_BYTES) return;
    this.flush();
    gatherIn(this);
  }

  #write(bytes: Uint8Array, offset: number, length: number): void {
    if (this.#pending !== null) {
      this.#pending.push(Buffer.from(bytes.subarray(offset, offset + length)));
      return;
    }
    const sent = this.#socket.write(bytes, offset, length);
    if (sent >= 0 && sent < length) this.#pending = [Buffer.from(bytes.subarray(offset + sent, offset + length))];
  }
}
