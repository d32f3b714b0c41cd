import { MAX_31_BITS } from "./frame.ts";
import type { H2Stream } from "./stream.ts";

/** So many streams that we reset ourselves are remembered: what the peer sent before it knew of it is ignored. */
const RESETS_REMEMBERED = 256;

/**
 * What is known of an id that is on no open stream. `idle`: nobody has used it; `reset`: we broke it off; `skipped`:
 * it was passed over and cannot be used any more; `over`: its stream has ended.
 */
export type IdState = "idle" | "reset" | "skipped" | "over";

/** The open streams of a connection, and what is remembered of others. */
export class SessionStreams {
  /** The highest id that the peer, or we, have opened. */
  lastId = 0;
  readonly #open = new Map<number, H2Stream>();
  /** Ids are odd at a client's, whichever end we are: nothing is ever pushed. */
  readonly #isServer: boolean;
  readonly #resets: number[] = [];
  #nextReset = 0;
  #skippedFrom = 1;
  #skippedTo = 0;
  #latest: H2Stream | null = null;

  constructor(role: "client" | "server") {
    this.#isServer = role === "server";
  }

  get size(): number {
    return this.#open.size;
  }

  get hasIds(): boolean {
    return this.lastId < MAX_31_BITS - 2;
  }

  /** The open stream of that id, or null. */
  get(id: number): H2Stream | null {
    if (this.#latest !== null && this.#latest.id === id) return this.#latest;
    const stream = this.#open.get(id) ?? null;
    if (stream !== null) this.#latest = stream;
    return stream;
  }

  /** Gives a stream of ours its id. */
  openNext(stream: H2Stream): void {
    this.open(stream, this.lastId === 0 ? 1 : this.lastId + 2);
  }

  /** Takes an `idle` id into use. */
  open(stream: H2Stream, id: number): void {
    this.use(id);
    stream.id = id;
    this.#open.set(id, stream);
    this.#latest = stream;
  }

  /** An `idle` id is used up, whether there is a stream for it or not. */
  use(id: number): void {
    if (id > this.lastId + 2) {
      this.#skippedFrom = this.lastId + 1;
      this.#skippedTo = id - 1;
    }
    this.lastId = id;
  }

  /** True when it was open. */
  delete(stream: H2Stream): boolean {
    if (this.#latest === stream) this.#latest = null;
    return this.#open.delete(stream.id);
  }

  remember(resetId: number): void {
    this.#resets[this.#nextReset] = resetId;
    this.#nextReset = (this.#nextReset + 1) % RESETS_REMEMBERED;
  }

  /** Of an id that no open stream has. */
  state(id: number): IdState {
    if (id % 2 === 0 || id > this.lastId) return "idle";
    if (this.#resets.includes(id)) return "reset";
    return this.#isServer && id >= this.#skippedFrom && id <= this.#skippedTo ? "skipped" : "over";
  }

  /** All that are open now; they may be closed meanwhile. */
  all(): readonly H2Stream[] {
    return [...this.#open.values()];
  }
}
