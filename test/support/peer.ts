import type { Socket } from "bun";

/** How the other side stands: still sending, has ended its sending side, closed cleanly, or reset. */
export type PeerState = "open" | "ended" | "closed" | "reset";

/** The other side closed, or took too long, before what was waited for came. */
export class PeerError extends Error {
  override readonly name = "PeerError";
}

const DEFAULT_TIMEOUT_MS = 10_000;

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? Buffer.from(data, "latin1") : data;
}

/** One end of a TCP connection under the test's full control. Strings are Latin-1: one character, one octet. */
export class Peer {
  /** Everything that came and was neither consumed nor discarded. */
  received: Buffer = Buffer.alloc(0);
  receivedBytes = 0;
  state: PeerState = "open";
  readonly #socket: Socket<Peer>;
  #isDiscarding = false;
  #queue: Uint8Array[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(socket: Socket<Peer>) {
    this.#socket = socket;
  }

  /** Writes now what the kernel takes and the rest when it drains; resolves when all is handed over or the peer is gone. */
  async send(data: string | Uint8Array): Promise<void> {
    this.#queue.push(bytesOf(data));
    this.#flush();
    if (this.#queue.length > 0)
      await this.until(() => this.#queue.length === 0 || this.isGone, "the peer to take bytes", 600_000);
  }

  /** Sends in pieces that end at the given offsets, each in a packet of its own. */
  async sendSplit(data: string | Uint8Array, offsets: readonly number[]): Promise<void> {
    const bytes = bytesOf(data);
    let from = 0;
    for (const offset of [...offsets, bytes.length]) {
      await this.send(bytes.subarray(from, offset));
      from = offset;
      await Bun.sleep(1);
    }
  }

  /** Ends the sending side and keeps reading (FIN). */
  endSending(): void {
    this.#socket.shutdown();
  }

  /** Closes with RST. */
  reset(): void {
    this.#socket.terminate();
  }

  close(): void {
    this.#socket.end();
  }

  /** Stops reading, so that the kernel's buffers fill and the other side feels back-pressure. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** From now on bytes are counted and thrown away. */
  discard(): void {
    this.#isDiscarding = true;
    this.received = Buffer.alloc(0);
  }

  /** Takes the first bytes out of `received`. */
  consume(length: number): Buffer {
    const taken = this.received.subarray(0, length);
    this.received = this.received.subarray(length);
    return taken;
  }

  /** True once the connection is closed in both directions. */
  get isGone(): boolean {
    return this.state === "closed" || this.state === "reset";
  }

  get text(): string {
    return this.received.toString("latin1");
  }

  /**
   * Waits until the condition holds; it is asked again after every event on the connection.
   * Rejects with PeerError after `timeoutMs`, or at once when the connection is gone without it.
   */
  async until(isMet: () => boolean, what: string, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    if (isMet()) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(watch);
        finish();
      };
      const fail = (why: string) => settle(() => reject(new PeerError(`waited for ${what}: ${why}${this.#excerpt()}`)));
      const watch = () => {
        try {
          if (isMet()) settle(resolve);
          else if (this.isGone) fail(`the connection is ${this.state}`);
        } catch (error) {
          settle(() => reject(error));
        }
      };
      const timer = setTimeout(() => fail(`nothing within ${timeoutMs} ms`), timeoutMs);
      this.#watchers.add(watch);
      watch();
    });
  }

  /** Waits until this many bytes are there, consumes and returns them. */
  async take(length: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<Buffer> {
    await this.until(() => this.received.length >= length, `${length} bytes`, timeoutMs);
    return this.consume(length);
  }

  /** Waits for the end of the other side's bytes and says how it came. */
  async ending(timeoutMs = DEFAULT_TIMEOUT_MS): Promise<"ended" | "closed" | "reset"> {
    await this.until(() => this.state !== "open", "the connection to end", timeoutMs);
    return this.state === "open" ? "ended" : this.state;
  }

  /** Waits until no direction is left and says how it came. */
  async closing(timeoutMs = DEFAULT_TIMEOUT_MS): Promise<PeerState> {
    await this.until(() => this.isGone, "the connection to close", timeoutMs);
    return this.state;
  }

  onData(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    // The runtime reuses the buffer of the callback: concat copies it.
    if (!this.#isDiscarding) this.received = Buffer.concat([this.received, bytes]);
    this.#wake();
  }

  onState(state: PeerState): void {
    if (!this.isGone) this.state = state;
    this.#wake();
  }

  onDrain(): void {
    this.#flush();
    this.#wake();
  }

  #flush(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const written = Math.max(0, this.#socket.write(next));
      if (written < next.length) {
        this.#queue[0] = next.subarray(written);
        return;
      }
      this.#queue.shift();
    }
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #excerpt(): string {
    return this.received.length === 0 ? "" : `; received ${JSON.stringify(this.text.slice(0, 300))}`;
  }
}

/** The callbacks that feed a Peer; the same for both sides of a test. */
export const peerHandlers = {
  data: (socket: Socket<Peer>, bytes: Buffer) => socket.data.onData(bytes),
  end: (socket: Socket<Peer>) => socket.data.onState("ended"),
  drain: (socket: Socket<Peer>) => socket.data.onDrain(),
  close: (socket: Socket<Peer>, error?: Error) =>
    socket.data?.onState(error === undefined || error === null ? "closed" : "reset"),
  error: (socket: Socket<Peer>) => socket.data?.onState("reset"),
} as const;
