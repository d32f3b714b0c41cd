import { FLAG, FRAME, H2_CODE, PREFACE } from "./frame.ts";
import { type FrameHandler, FrameReader, readUint31, readUint32 } from "./frame-reader.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackError } from "./hpack-error.ts";
import type { SessionBudget } from "./session-budget.ts";
import { protocolError, SessionError } from "./session-error.ts";
import { FieldCollector, type FieldSection } from "./stream-fields.ts";

const TABLE_BYTES = 4096;
const SETTING_BYTES = 6;
/** An encoded block may be so many times as large as the list that it may hold, and then some: it is read, to be refused. */
const BLOCK_FACTOR = 4;
const BLOCK_EXTRA_BYTES = 16 * 1024;

/** What frames say, checked for all that needs no knowledge of streams. Whatever it throws ends the connection. */
export interface SessionEvents {
  settingsCame(bytes: Uint8Array, from: number, to: number): void;
  pingCame(payload: Uint8Array, isAck: boolean): void;
  goAwayCame(lastStreamId: number): void;
  /** `streamId`: 0 for the connection. */
  windowCame(streamId: number, bytes: number): void;
  resetCame(streamId: number, code: number): void;
  sectionCame(streamId: number, section: FieldSection, isEnd: boolean): void;
  /** A DATA frame begins; `length` counts its padding too. */
  dataBegan(streamId: number, length: number): void;
  dataCame(bytes: Uint8Array): void;
  dataEnded(isEnd: boolean): void;
}

export interface SessionInputDeps {
  readonly events: SessionEvents;
  readonly budget: SessionBudget;
  /** Most that the fields of one section may count (RFC 9113 10.5.1). */
  readonly maxListBytes: number;
  /** True for a server's: its client's preface comes first (RFC 9113 3.4). */
  readonly awaitsPreface: boolean;
}

/** Reads what comes on a connection: frames in their order, field blocks put together and decoded. */
export class SessionInput implements FrameHandler {
  readonly #events: SessionEvents;
  readonly #budget: SessionBudget;
  readonly #reader = new FrameReader(this);
  readonly #collector = new FieldCollector();
  readonly #decoder: HpackDecoder<FieldSection>;
  readonly #blockBytes: number;
  /** Bytes of the preface that have come; all of them when there is none to come. */
  #prefaced: number;
  /** How many frames and field blocks came whole. */
  count = 0;
  #hasSettings = false;
  /** The DATA frame under way has carried something else than padding. */
  #hasData = false;
  /** The stream whose field block is under way, 0 for none, and whether it ends with it. */
  #blockStream = 0;
  #blockEnds = false;
  #block: Uint8Array[] = [];
  #blockLength = 0;

  constructor({ events, budget, maxListBytes, awaitsPreface }: SessionInputDeps) {
    this.#prefaced = awaitsPreface ? 0 : PREFACE.length;
    this.#events = events;
    this.#budget = budget;
    this.#decoder = new HpackDecoder({ sink: this.#collector, maxTableBytes: TABLE_BYTES, maxListBytes });
    this.#blockBytes = maxListBytes * BLOCK_FACTOR + BLOCK_EXTRA_BYTES;
  }

  /** True once the peer's SETTINGS came, which come first. */
  get hasSettings(): boolean {
    return this.#hasSettings;
  }

  /** True while a frame or a field block is under way that must come whole before anything is done. */
  get isPartial(): boolean {
    return this.#blockStream !== 0 || this.#reader.isInFrame;
  }

  /** Takes bytes from the socket; returns how many, all of them unless it was told to pause. Throws SessionError. */
  feed(bytes: Buffer): number {
    const from = this.#prefaced < PREFACE.length ? this.#takePreface(bytes) : 0;
    return from === 0 ? this.#reader.feed(bytes) : from + this.#reader.feed(bytes.subarray(from));
  }

  /** Reads no more for now than the frame under way. */
  pause(): void {
    this.#reader.pause();
  }

  /** Reads no more. */
  stop(): void {
    this.#reader.stop();
  }

  frameBegan(): void {
    const { type, length, streamId, flags } = this.#reader;
    if (!this.#hasSettings && (type !== FRAME.settings || (flags & FLAG.ack) !== 0)) {
      throw protocolError("The first frame is no SETTINGS.");
    }
    if (this.#blockStream !== 0 && (type !== FRAME.continuation || streamId !== this.#blockStream)) {
      throw protocolError("A field block is interrupted by another frame.");
    }
    checkStream(type, streamId);
    checkLength(type, length, flags);
    if (type === FRAME.data) {
      this.#hasData = false;
      this.#events.dataBegan(streamId, length);
    }
  }

  dataCame(bytes: Buffer, from: number, to: number): void {
    this.#hasData = true;
    this.#events.dataCame(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  dataEnded(): void {
    const isEnd = (this.#reader.flags & FLAG.end_stream) !== 0;
    if (!this.#hasData && !isEnd) this.#budget.spend();
    this.#events.dataEnded(isEnd);
  }

  payloadCame(bytes: Buffer, from: number, to: number): void {
    const { type, flags, streamId } = this.#reader;
    if (this.#blockStream === 0) this.count++;
    switch (type) {
      case FRAME.headers:
        this.#headers(bytes, from, to);
        break;
      case FRAME.continuation:
        this.#continuation(bytes, from, to);
        break;
      case FRAME.window_update:
        this.#budget.spend();
        this.#events.windowCame(streamId, readUint31(bytes, from));
        break;
      case FRAME.rst_stream:
        this.#events.resetCame(streamId, readUint32(bytes, from));
        break;
      case FRAME.settings:
        this.#settings(bytes, from, to);
        break;
      case FRAME.ping:
        this.#budget.spend();
        this.#events.pingCame(bytes.subarray(from, to), (flags & FLAG.ack) !== 0);
        break;
      case FRAME.goaway:
        this.#events.goAwayCame(readUint31(bytes, from));
        break;
      case FRAME.push_promise:
        throw protocolError("Nothing may be pushed here.");
      case FRAME.priority:
        checkDependency(bytes, from, streamId);
        this.#budget.spend();
        break;
      default:
        // Unknown types are ignored (RFC 9113 4.1), but not for ever.
        this.#budget.spend();
    }
  }

  #takePreface(bytes: Buffer): number {
    const came = Math.min(bytes.length, PREFACE.length - this.#prefaced);
    if (bytes.compare(PREFACE, this.#prefaced, this.#prefaced + came, 0, came) !== 0) {
      throw protocolError("The connection begins with no preface of HTTP/2.");
    }
    this.#prefaced += came;
    return came;
  }

  #settings(bytes: Buffer, from: number, to: number): void {
    const isAck = (this.#reader.flags & FLAG.ack) !== 0;
    this.#budget.spend();
    if (isAck) return;
    this.#hasSettings = true;
    this.#events.settingsCame(bytes, from, to);
  }

  #headers(bytes: Buffer, from: number, to: number): void {
    const { flags, streamId } = this.#reader;
    let at = from;
    let padding = 0;
    if ((flags & FLAG.padded) !== 0) padding = bytes[at++] ?? 0;
    if ((flags & FLAG.priority) !== 0) {
      if (to - at < 5) throw new SessionError(H2_CODE.frame_size_error, "HEADERS is too short for its priority.");
      checkDependency(bytes, at, streamId);
      at += 5;
    }
    if (padding > to - at) throw protocolError("A frame's padding is longer than the frame.");
    const isEnd = (flags & FLAG.end_stream) !== 0;
    if ((flags & FLAG.end_headers) !== 0) {
      this.#decode({ streamId, isEnd }, bytes, [at, to - padding]);
      return;
    }
    this.#blockStream = streamId;
    this.#blockEnds = isEnd;
    this.#keep(bytes, at, to - padding);
  }

  #continuation(bytes: Buffer, from: number, to: number): void {
    if (this.#blockStream === 0) throw protocolError("A CONTINUATION continues nothing.");
    this.#budget.spend();
    this.#keep(bytes, from, to);
    if ((this.#reader.flags & FLAG.end_headers) === 0) return;
    const whole = Buffer.concat(this.#block);
    const block = { streamId: this.#blockStream, isEnd: this.#blockEnds };
    this.#blockStream = 0;
    this.#block = [];
    this.#blockLength = 0;
    this.#decode(block, whole, [0, whole.length]);
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    this.#blockLength += to - from;
    if (this.#blockLength > this.#blockBytes) {
      throw new SessionError(H2_CODE.enhance_your_calm, "A field block is far too large.");
    }
    if (to > from) this.#block.push(Buffer.from(bytes.subarray(from, to)));
  }

  #decode(
    { streamId, isEnd }: { readonly streamId: number; readonly isEnd: boolean },
    bytes: Buffer,
    [from, to]: readonly [number, number],
  ): void {
    const decoder = this.#decoder;
    let isWhole: boolean;
    try {
      isWhole = decoder.decode(bytes, from, to);
    } catch (error) {
      if (error instanceof HpackError) throw new SessionError(H2_CODE.compression_error, error.message);
      throw error;
    }
    let section = decoder.shared;
    if (section === null) {
      section = this.#collector.take(isWhole);
      decoder.share(section);
    }
    this.#events.sectionCame(streamId, section, isEnd);
  }
}

/** Some frames belong to a stream, some to the connection. */
function checkStream(type: number, streamId: number): void {
  const isOfConnection = type === FRAME.settings || type === FRAME.ping || type === FRAME.goaway;
  if (type === FRAME.window_update || type > FRAME.continuation) return;
  if (isOfConnection !== (streamId === 0)) throw protocolError("A frame is on a stream that it cannot be on.");
}

function checkLength(type: number, length: number, flags: number): void {
  if (!isLength(type, length, flags)) throw new SessionError(H2_CODE.frame_size_error, "A frame has a wrong length.");
}

function isLength(type: number, length: number, flags: number): boolean {
  switch (type) {
    case FRAME.priority:
      return length === 5;
    case FRAME.rst_stream:
    case FRAME.window_update:
      return length === 4;
    case FRAME.ping:
      return length === 8;
    case FRAME.goaway:
      return length >= 8;
    case FRAME.settings:
      return (flags & FLAG.ack) !== 0 ? length === 0 : length % SETTING_BYTES === 0;
    case FRAME.headers:
      return (flags & FLAG.padded) === 0 || length > 0;
    default:
      return true;
  }
}

/** The one rule of the old priorities that is kept (RFC 7540 5.3.1): what breaks it is no client of anybody's. */
function checkDependency(bytes: Uint8Array, at: number, streamId: number): void {
  if (readUint31(bytes, at) === streamId) throw protocolError("A stream depends on itself.");
}
