import { freeBuffer } from "../free-buffer.ts";
import type { HeaderList } from "../header-list.ts";
import type { Outlet } from "../outlet.ts";
import { copyFrom } from "../view.ts";
import { DEFAULT_WINDOW_BYTES, H2_CODE, MAX_31_BITS } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { SessionBudget } from "./session-budget.ts";
import { SessionError } from "./session-error.ts";
import type { H2Stream } from "./stream.ts";

/** A frame that a window cut shorter than this is no use to anybody. */
const CUT_BYTES = 1024;
/** Frames of the peer's that one of ours may bring along: updates of two windows, and then some. */
const EARNED_FRAMES = 4;

export interface TurnsDeps {
  readonly outlet: Outlet;
  readonly writer: FrameWriter;
  readonly budget: SessionBudget;
  /** The stream's last frame is written, but for trailers. */
  readonly sentAll: (stream: H2Stream) => void;
  readonly sendTrailers: (stream: H2Stream, trailers: HeaderList) => void;
}

/**
 * Sends the streams' bytes within the peer's windows: at once where nothing waits, else frame by frame in turns, so
 * that no stream starves another. What waits for its own window only has no turn until it is opened.
 */
export class SessionTurns {
  /** What the peer takes on all streams together. */
  window = DEFAULT_WINDOW_BYTES;
  readonly #deps: TurnsDeps;
  #first: H2Stream | null = null;
  #last: H2Stream | null = null;
  #isRunning = false;

  constructor(deps: TurnsDeps) {
    this.#deps = deps;
  }

  /** The connection's window opened. Throws SessionError when it grew beyond its bound. */
  widen(bytes: number): void {
    this.window += bytes;
    if (this.window > MAX_31_BITS) throw new SessionError(H2_CODE.flow_control_error, "The window is too large.");
  }

  /** Sends bytes, or keeps a copy. False when something waits, or the outlet does. */
  send(stream: H2Stream, bytes: Uint8Array, isEnd: boolean): boolean {
    let at = 0;
    if (stream.queue.length === 0 && (this.#first === null || bytes.length === 0)) {
      at = this.#write(stream, bytes, isEnd);
      if (at === bytes.length) {
        if (isEnd) this.#deps.sentAll(stream);
        else if (this.#deps.outlet.isBlocked) return this.#wait(stream);
        return true;
      }
    }
    stream.queue.push(copyFrom(bytes, at));
    if (isEnd) stream.ending = "end";
    return this.#wait(stream);
  }

  /** Ends the stream behind what waits. */
  end(stream: H2Stream, trailers: HeaderList | null): void {
    if (stream.queue.length > 0) {
      stream.ending = trailers === null ? "end" : "trailers";
      stream.trailers = trailers;
    } else if (trailers !== null) this.#deps.sendTrailers(stream, trailers);
    else {
      this.#deps.writer.data(stream.id, NO_BYTES, true);
      this.#deps.sentAll(stream);
    }
  }

  /** The stream's own window changed by so much. Throws SessionError when it grew beyond its bound. */
  widenStream(stream: H2Stream, bytes: number): void {
    stream.sendWindow += bytes;
    if (stream.sendWindow > MAX_31_BITS) throw new SessionError(H2_CODE.flow_control_error, "A window is too large.");
    if (stream.queue.length > 0 && stream.sendWindow > 0) this.#enqueue(stream);
  }

  /** Gives turns until nothing may leave any more. Called at the end of an event that opened windows or the outlet. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      this.#runAll();
    } finally {
      // What a stream's hook throws must not silence the others for ever.
      this.#isRunning = false;
    }
  }

  #runAll(): void {
    const { outlet } = this.#deps;
    while (this.#first !== null && !outlet.isBlocked && this.window > 0) {
      const stream = this.#first;
      this.#first = stream.nextTurn;
      if (this.#first === null) this.#last = null;
      stream.nextTurn = null;
      stream.hasTurn = false;
      if (!stream.isClosed) this.#turn(stream);
    }
  }

  #turn(stream: H2Stream): void {
    const piece = stream.queue[0];
    if (piece === undefined) {
      stream.sendReady();
      return;
    }
    const isLast = stream.queue.length === 1;
    const rest = stream.queueAt === 0 ? piece : piece.subarray(stream.queueAt);
    const bytes =
      rest.length > this.#deps.writer.maxFrameBytes ? rest.subarray(0, this.#deps.writer.maxFrameBytes) : rest;
    const isEnd = isLast && bytes === rest && stream.ending === "end";
    const sent = this.#write(stream, bytes, isEnd);
    if (sent < rest.length) {
      stream.queueAt += sent;
      stream.sendWaits();
      if (stream.sendWindow > 0) this.#enqueue(stream);
      return;
    }
    stream.queue.shift();
    stream.queueAt = 0;
    freeBuffer(piece);
    if (!isLast) this.#enqueue(stream);
    else this.#emptied(stream);
  }

  #emptied(stream: H2Stream): void {
    if (stream.ending === "end") this.#deps.sentAll(stream);
    else if (stream.ending === "trailers" && stream.trailers !== null) this.#deps.sendTrailers(stream, stream.trailers);
    else if (this.#deps.outlet.isBlocked) this.#enqueue(stream);
    else stream.sendReady();
  }

  /** Writes frames while windows and outlet allow; returns how many of the bytes left. */
  #write(stream: H2Stream, bytes: Uint8Array, isEnd: boolean): number {
    const { writer, outlet, budget } = this.#deps;
    const { length } = bytes;
    let at = 0;
    do {
      const wanted = Math.min(length - at, writer.maxFrameBytes);
      const size = length === 0 ? 0 : Math.min(wanted, stream.sendWindow, this.window);
      if (length > 0 && size <= 0) return at;
      const frame = size === length ? bytes : bytes.subarray(at, at + size);
      at += size;
      stream.sendWindow -= size;
      this.window -= size;
      writer.data(stream.id, frame, isEnd && at === length);
      if (size === wanted || size >= CUT_BYTES) budget.earn(EARNED_FRAMES);
    } while (at < length && !outlet.isBlocked);
    return at;
  }

  #wait(stream: H2Stream): false {
    stream.sendWaits();
    if (stream.queue.length === 0 || stream.sendWindow > 0) this.#enqueue(stream);
    return false;
  }

  #enqueue(stream: H2Stream): void {
    if (stream.hasTurn) return;
    stream.hasTurn = true;
    if (this.#last === null) this.#first = stream;
    else this.#last.nextTurn = stream;
    this.#last = stream;
  }
}

const NO_BYTES = new Uint8Array(0);
