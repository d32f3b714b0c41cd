import type { Outlet } from "../outlet.ts";
import { FLAG, FRAME, FRAME_HEAD_BYTES, H2_CODE, MAX_31_BITS, MAX_FRAME_BYTES, PREFACE } from "./frame.ts";

const head = new Uint8Array(FRAME_HEAD_BYTES);
const small = new Uint8Array(8);
const DEBUG_BYTES = 256;

/** Writes frames into a connection's outlet, in the order of the calls. */
export class FrameWriter {
  /** The largest payload that the peer takes. */
  maxFrameBytes = MAX_FRAME_BYTES;
  /** Bytes that were written while the peer did not read; the one who sees it drain sets it back. */
  blockedBytes = 0;
  readonly #outlet: Outlet;

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  preface(): void {
    this.#outlet.bytes(PREFACE);
  }

  /** One DATA frame; the bytes are valid during the call only and no more than `maxFrameBytes`. */
  data(streamId: number, bytes: Uint8Array, isEnd: boolean): void {
    this.#head(bytes.length, FRAME.data, isEnd ? FLAG.end_stream : 0, streamId);
    if (bytes.length > 0) this.#outlet.bytes(bytes);
  }

  /** A field block, in HEADERS and as many CONTINUATION as it needs. */
  headers(streamId: number, block: Uint8Array, isEnd: boolean): void {
    const end = isEnd ? FLAG.end_stream : 0;
    const max = this.maxFrameBytes;
    if (block.length <= max) {
      this.#head(block.length, FRAME.headers, end | FLAG.end_headers, streamId);
      this.#outlet.bytes(block);
      return;
    }
    for (let at = 0; at < block.length; at += max) {
      const piece = block.subarray(at, at + max);
      const last = at + max >= block.length ? FLAG.end_headers : 0;
      if (at === 0) this.#head(piece.length, FRAME.headers, end | last, streamId);
      else this.#head(piece.length, FRAME.continuation, last, streamId);
      this.#outlet.bytes(piece);
    }
  }

  settings(pairs: readonly (readonly [number, number])[]): void {
    const payload = new Uint8Array(pairs.length * 6);
    pairs.forEach(([id, value], i) => {
      payload[i * 6] = id >> 8;
      payload[i * 6 + 1] = id;
      writeUint32(payload, i * 6 + 2, value);
    });
    this.#head(payload.length, FRAME.settings, 0, 0);
    this.#outlet.bytes(payload);
  }

  settingsAck(): void {
    this.#head(0, FRAME.settings, FLAG.ack, 0);
  }

  /** `payload`: eight bytes. */
  ping(payload: Uint8Array, isAck: boolean): void {
    this.#head(8, FRAME.ping, isAck ? FLAG.ack : 0, 0);
    this.#outlet.bytes(payload);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#head(4, FRAME.window_update, 0, streamId);
    this.#uint32(bytes);
  }

  reset(streamId: number, code: number): void {
    this.#head(4, FRAME.rst_stream, 0, streamId);
    this.#uint32(code);
  }

  /** `lastStreamId`: streams above it were not looked at, and will not be. */
  goAway(lastStreamId: number, code: number, detail = ""): void {
    const debug = code === H2_CODE.no_error ? "" : detail.slice(0, DEBUG_BYTES);
    const payload = new Uint8Array(8 + debug.length);
    writeUint32(payload, 0, Math.min(lastStreamId, MAX_31_BITS));
    writeUint32(payload, 4, code);
    for (let i = 0; i < debug.length; i++) payload[8 + i] = debug.charCodeAt(i);
    this.#head(payload.length, FRAME.goaway, 0, 0);
    this.#outlet.bytes(payload);
  }

  #uint32(value: number): void {
    writeUint32(small, 0, value);
    this.#outlet.bytes(small.subarray(0, 4));
  }

  #head(length: number, type: number, flags: number, streamId: number): void {
    if (this.#outlet.isBlocked) this.blockedBytes += FRAME_HEAD_BYTES + length;
    head[0] = length >> 16;
    head[1] = length >> 8;
    head[2] = length;
    head[3] = type;
    head[4] = flags;
    writeUint32(head, 5, streamId);
    this.#outlet.bytes(head);
  }
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
