import type { Socket } from "bun";
import { now } from "../event.ts";
import type { HeaderList } from "../header-list.ts";
import { Outlet } from "../outlet.ts";
import type { SocketOwner } from "../socket-events.ts";
import { Timer, type TimerWheel } from "../timer-wheel.ts";
import { H2_CODE, MAX_31_BITS, PREFACE } from "./frame.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { SessionBudget } from "./session-budget.ts";
import { SessionCredit } from "./session-credit.ts";
import { protocolError, SessionError } from "./session-error.ts";
import { type SessionEvents, SessionInput } from "./session-input.ts";
import { SessionStreams } from "./session-streams.ts";
import { SessionTurns } from "./session-turns.ts";
import { PeerSettings, SETTING } from "./settings.ts";
import type { H2Stream, StreamBreak, StreamCarrier } from "./stream.ts";
import { encodeList } from "./stream-encode.ts";
import type { FieldSection } from "./stream-fields.ts";

/** So long, and for so many bytes, a closing connection is read on: the peer gets to read why. */
const LINGER_MS = 2000;
const LINGER_BYTES = 1024 * 1024;
/** So long a peer may open streams after it was first told to go elsewhere, if it answers no ping. */
const DRAIN_MS = 1000;
const DRAIN_PING = Buffer.from("torii go", "latin1");
const LIFE_PING = Buffer.from("torii hi", "latin1");
/** What we write to a peer that does not read is bounded: from there on we do not read from it either. */
const BLOCKED_BYTES = 64 * 1024;
/** A new stream may be accompanied by so many frames that carry nothing themselves. */
const EARNED_FRAMES = 8;

export interface SessionLimits {
  /** Most that the fields of one section may count: SETTINGS_MAX_HEADER_LIST_SIZE. */
  readonly headerListBytes: number;
  /** Streams that the peer may have open at once; 0 for a client, which takes none. */
  readonly maxStreams: number;
  /** From a connection's, frame's or field block's first byte to its last; 0 for none. */
  readonly headMs: number;
  /** Silence while no stream is open, or of a peer that reads nothing; 0 for none. */
  readonly idleMs: number;
}

/** Whoever a session belongs to. */
export interface SessionOwner {
  /** A server's: the stream that a request with a new id becomes; its `headCame` is called next. */
  accept(): H2Stream;
  /** The peer's settings came: how many streams it takes may have changed. */
  settingsCame(): void;
  /** No more streams may be opened: either side is going, or the connection failed. May be called more than once. */
  going(): void;
  /** A stream is over in whatever way, and another may have its place. */
  streamClosed(stream: H2Stream): void;
  /** The socket is gone. Every stream was told before. */
  closed(): void;
}

export interface SessionOptions {
  readonly role: "client" | "server";
  readonly owner: SessionOwner;
  readonly limits: SessionLimits;
  readonly wheel: TimerWheel;
}

/** `open`; `lingering`: all is said, the peer may still be reading; `closed`: the socket is gone. */
type State = "open" | "lingering" | "closed";
/** What the one timer of a session waits for. */
type Wait = "none" | "head" | "idle" | "blocked" | "drain" | "linger";

/** One HTTP/2 connection, either end of it (RFC 9113): frames, settings, windows, and the streams' lives. */
export class H2Session extends Timer implements SocketOwner, SessionEvents, StreamCarrier {
  readonly outlet: Outlet;
  readonly wheel: TimerWheel;
  readonly encoder = new HpackEncoder();
  readonly peer: PeerSettings;
  readonly streams: SessionStreams;
  readonly #socket: Socket<unknown>;
  readonly #options: SessionOptions;
  readonly #writer: FrameWriter;
  readonly #budget = new SessionBudget();
  readonly #input: SessionInput;
  readonly #turns: SessionTurns;
  readonly #credit: SessionCredit;
  #state: State = "open";
  #wait: Wait = "none";
  /** Bytes of the client's preface that have come; all of them when there is none to come. */
  #prefaced: number;
  /** `asked`: the peer knows that it should go; `told`: it knows which stream was the last. */
  #drain: "none" | "asked" | "told" = "none";
  #closesAfter = false;
  #isPeerGoing = false;
  #isReadPaused = false;
  #lingered = 0;
  /** When the last stream ended, or the connection began. */
  #idleAt = now();
  /** The stream of the DATA frame under way, null when nobody wants it; and what of the frame is not passed on. */
  #dataStream: H2Stream | null = null;
  #dataRest = 0;
  /** Which frame was under way when its time began. */
  #partialCount = 0;

  constructor(socket: Socket<unknown>, options: SessionOptions) {
    super();
    this.#socket = socket;
    this.#options = options;
    this.wheel = options.wheel;
    this.outlet = new Outlet(socket);
    this.peer = new PeerSettings(options.role === "client");
    this.#writer = new FrameWriter(this.outlet);
    this.#credit = new SessionCredit(this.#writer);
    this.streams = new SessionStreams(options.role);
    this.#input = new SessionInput({
      events: this,
      budget: this.#budget,
      maxListBytes: options.limits.headerListBytes,
    });
    this.#turns = new SessionTurns({
      outlet: this.outlet,
      writer: this.#writer,
      budget: this.#budget,
      sentAll: (stream) => this.#localEnded(stream),
      sendTrailers: (stream, trailers) => this.#sendTrailers(stream, trailers),
    });
    this.#prefaced = options.role === "server" ? 0 : PREFACE.length;
  }

  /** Sends what comes first on a connection. Call once, when the socket is open. */
  begin(): void {
    const { role, limits } = this.#options;
    if (role === "client") {
      this.#writer.preface();
      this.#writer.settings([
        [SETTING.enable_push, 0],
        [SETTING.max_header_list_size, limits.headerListBytes],
      ]);
    } else {
      this.#writer.settings([
        [SETTING.max_concurrent_streams, limits.maxStreams],
        [SETTING.max_header_list_size, limits.headerListBytes],
        [SETTING.enable_connect_protocol, 1],
      ]);
    }
    this.#credit.begin();
    this.#settle();
  }

  /** Says whether a stream may be opened now. A client's asks before each. */
  get canOpen(): boolean {
    const { streams } = this;
    const isGoing = this.#isPeerGoing || this.#closesAfter || this.#drain !== "none";
    return this.#state === "open" && !isGoing && streams.hasIds && streams.size < this.peer.maxStreams;
  }

  /** True once the peer's settings came. */
  get hasSettings(): boolean {
    return this.#input.hasSettings;
  }

  /** Opens a client's stream, `canOpen` being true; its HEADERS must be the next thing that is sent. */
  open(stream: H2Stream): void {
    this.streams.openNext(stream);
    this.#enroll(stream);
  }

  /** Tells the peer to go elsewhere with what it asks next, without breaking anything off; closes when all ended. */
  drain(): void {
    if (this.#state !== "open" || this.#drain !== "none") return;
    this.#drain = "asked";
    this.#writer.goAway(MAX_31_BITS, H2_CODE.no_error);
    this.#writer.ping(DRAIN_PING, false);
    this.#settle();
  }

  /** As `drain`; a connection without streams is closed at once. */
  close(): void {
    this.#closesAfter = true;
    if (this.streams.size === 0) this.#tellLast();
    else this.drain();
    this.#settle();
  }

  /** Asks the peer for a sign of life: whatever it sends next is one. */
  ping(): void {
    if (this.#state === "open") this.#writer.ping(LIFE_PING, false);
  }

  /** Closes when no stream has been open since an instant of `now()`. */
  closeIdle(since: number): void {
    if (this.streams.size === 0 && this.#idleAt <= since) this.close();
  }

  /** Breaks off, with a reset where the runtime can. */
  terminate(): void {
    this.#socket.terminate();
  }

  // What the socket tells

  onData(bytes: Buffer): void {
    if (this.#state !== "open") {
      this.#lingered += bytes.length;
      if (this.#lingered > LINGER_BYTES) this.terminate();
      return;
    }
    try {
      const rest = this.#prefaced < PREFACE.length ? this.#takePreface(bytes) : bytes;
      if (rest.length > 0) this.#input.feed(rest);
    } catch (error) {
      this.#fail(error instanceof SessionError ? error : new SessionError(H2_CODE.internal_error, ""));
      if (!(error instanceof SessionError)) throw error;
    }
    this.#turns.run();
    this.#settle();
  }

  onDrain(): void {
    if (this.outlet.drain()) {
      this.#writer.blockedBytes = 0;
      this.#pauseReading(false);
      this.#turns.run();
    }
    this.#wait = "none";
    this.#settle();
  }

  /** A peer that sends no more opens no windows either: it is taken to have left. */
  onEnd(): void {
    this.#breakAll("closed", H2_CODE.cancel);
    this.#state = "lingering";
    this.#socket.end();
  }

  onClose(_isReset: boolean): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.wheel.remove(this);
    this.#breakAll("closed", H2_CODE.cancel);
    this.#options.owner.closed();
  }

  override fire(): void {
    const wait = this.#wait;
    this.#wait = "none";
    if (wait === "head")
      this.#fail(new SessionError(H2_CODE.enhance_your_calm, "A frame or field block took too long."));
    else if (wait === "drain" || wait === "idle") this.#tellLast();
    else if (wait === "linger") this.#socket.end();
    else this.terminate();
    this.#settle();
  }

  // What frames say

  settingsCame(bytes: Uint8Array, from: number, to: number): void {
    const { peer } = this;
    const { windowBytes, headerTableBytes: tableBytes } = peer;
    peer.read(bytes, from, to);
    this.#writer.settingsAck();
    this.#writer.maxFrameBytes = peer.maxFrameBytes;
    if (peer.headerTableBytes !== tableBytes) this.encoder.setMaxTableBytes(peer.headerTableBytes);
    const more = peer.windowBytes - windowBytes;
    if (more !== 0) for (const stream of this.streams.all()) this.#widenSend(stream, more);
    this.#options.owner.settingsCame();
  }

  pingCame(payload: Uint8Array, isAck: boolean): void {
    if (!isAck) this.#writer.ping(payload, true);
    else if (this.#drain === "asked" && DRAIN_PING.equals(payload)) this.#tellLast();
  }

  goAwayCame(lastStreamId: number, _code: number): void {
    this.#isPeerGoing = true;
    if (this.#options.role === "client") {
      for (const stream of this.streams.all()) {
        if (stream.id > lastStreamId) this.#break(stream, { reason: "refused", code: H2_CODE.refused_stream });
      }
    }
    this.#options.owner.going();
    this.#finishIfDone();
  }

  windowCame(streamId: number, bytes: number): void {
    if (streamId === 0) {
      if (bytes === 0) throw protocolError("A window was opened by nothing.");
      if (!this.#turns.widen(bytes)) throw new SessionError(H2_CODE.flow_control_error, "The window is too large.");
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream === null) {
      if (this.streams.state(streamId) === "idle") throw protocolError("A window of a stream that is not open.");
    } else if (bytes === 0) this.#breakRule(stream, H2_CODE.protocol_error);
    else if (stream.sendWindow + bytes > MAX_31_BITS) this.#breakRule(stream, H2_CODE.flow_control_error);
    else this.#widenSend(stream, bytes);
  }

  resetCame(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (stream === null) {
      if (this.streams.state(streamId) === "idle") throw protocolError("A stream was reset that is not open.");
      this.#budget.spend();
      return;
    }
    this.#break(stream, { reason: code === H2_CODE.refused_stream ? "refused" : "reset", code });
    this.#budget.spendReset();
  }

  sectionCame(streamId: number, section: FieldSection, isEnd: boolean): void {
    const stream = this.streams.get(streamId);
    if (stream === null) this.#headOfNone(streamId, section, isEnd);
    else if (stream.isRemoteEnded) this.#breakRule(stream, H2_CODE.stream_closed);
    else if (!stream.hasHead) this.#head(stream, section, isEnd);
    else if (!isEnd || section.trailersFault !== null || section.isTooLarge) this.#breakRule(stream);
    else this.#remoteEnded(stream, section.regular.list());
  }

  dataBegan(streamId: number, length: number): void {
    this.#credit.charge(length);
    const stream = this.streams.get(streamId);
    this.#dataStream = stream;
    this.#dataRest = length;
    if (stream === null) this.#dataOfNone(streamId);
    else if (stream.isRemoteEnded) this.#breakRule(stream, H2_CODE.stream_closed);
    else if (!stream.hasHead) this.#breakRule(stream);
    else if (!this.#credit.chargeStream(stream, length)) this.#breakRule(stream, H2_CODE.flow_control_error);
  }

  dataCame(bytes: Uint8Array): void {
    const stream = this.#dataStream;
    if (stream === null || stream.isClosed) return;
    if (stream.expectedBytes >= 0) {
      stream.expectedBytes -= bytes.length;
      if (stream.expectedBytes < 0) {
        this.#breakRule(stream);
        return;
      }
    }
    this.#dataRest -= bytes.length;
    stream.dataCame(bytes);
  }

  dataEnded(isEnd: boolean): void {
    const stream = this.#dataStream;
    this.#dataStream = null;
    // Padding, and what nobody wanted.
    if (this.#dataRest > 0) this.#credit.give(stream, this.#dataRest);
    if (stream === null || stream.isClosed) return;
    if (isEnd) this.#remoteEnded(stream, null);
  }

  // What streams ask for

  sendFields(stream: H2Stream, isEnd: boolean): void {
    this.sendBlock(stream, this.encoder.end(), isEnd);
  }

  sendBlock(stream: H2Stream, block: Uint8Array, isEnd: boolean): void {
    if (stream.isClosed || this.#state !== "open") return;
    this.#writer.headers(stream.id, block, isEnd);
    if (isEnd) this.#localEnded(stream);
  }

  sendData(stream: H2Stream, bytes: Uint8Array, isEnd: boolean): boolean {
    if (stream.isClosed || stream.isLocalEnded || (bytes.length === 0 && !isEnd)) return true;
    return this.#turns.send(stream, bytes, isEnd);
  }

  sendEnd(stream: H2Stream, trailers: HeaderList | null): void {
    if (!stream.isClosed && !stream.isLocalEnded) this.#turns.end(stream, trailers);
  }

  credit(stream: H2Stream, bytes: number): void {
    this.#credit.give(stream, bytes);
  }

  reset(stream: H2Stream, code: number): void {
    if (stream.isClosed) return;
    this.streams.remember(stream.id);
    if (this.#state === "open") this.#writer.reset(stream.id, code);
    this.#close(stream);
  }

  resetMalformed(stream: H2Stream): void {
    this.reset(stream, H2_CODE.protocol_error);
    this.#budget.spendReset();
  }

  // The life of a stream

  #enroll(stream: H2Stream): void {
    stream.sendWindow = this.peer.windowBytes;
    this.#credit.enroll(stream);
    this.#budget.earn(EARNED_FRAMES);
    if (this.streams.size === 1) this.#settle();
  }

  /** HEADERS on an id that no open stream has: a server's next request, or a mistake. */
  #headOfNone(id: number, section: FieldSection, isEnd: boolean): void {
    const state = this.streams.state(id);
    if (state === "reset") return;
    if (state === "over") throw new SessionError(H2_CODE.stream_closed, "HEADERS came on a closed stream.");
    if (state === "skipped" || this.#options.role === "client" || id % 2 === 0) {
      throw protocolError("HEADERS came with an id that cannot be used.");
    }
    const { limits, owner } = this.#options;
    if (this.#drain === "told" || this.streams.size >= limits.maxStreams) {
      this.#budget.spend();
      this.streams.use(id);
      this.streams.remember(id);
      this.#writer.reset(id, H2_CODE.refused_stream);
      return;
    }
    const stream = owner.accept();
    this.streams.open(stream, id);
    this.#enroll(stream);
    this.#head(stream, section, isEnd);
  }

  #head(stream: H2Stream, section: FieldSection, isEnd: boolean): void {
    const isFinal = this.#options.role === "server" || section.status >= 200 || section.responseFault !== null;
    if (!isFinal && isEnd) {
      this.#breakRule(stream);
      return;
    }
    stream.hasHead = isFinal;
    stream.isRemoteEnded = isEnd;
    stream.headCame(section);
    if (isEnd && stream.isLocalEnded) this.#close(stream);
  }

  #dataOfNone(id: number): void {
    const state = this.streams.state(id);
    if (state === "reset") return;
    if (state !== "over") throw protocolError("DATA came on a stream that is not open.");
    this.#budget.spend();
    this.streams.remember(id);
    this.#writer.reset(id, H2_CODE.stream_closed);
  }

  #remoteEnded(stream: H2Stream, trailers: HeaderList | null): void {
    if (stream.expectedBytes > 0) {
      this.#breakRule(stream);
      return;
    }
    stream.isRemoteEnded = true;
    stream.endCame(trailers);
    if (stream.isLocalEnded) this.#close(stream);
  }

  #localEnded(stream: H2Stream): void {
    stream.isLocalEnded = true;
    this.#budget.earnReset();
    if (stream.isRemoteEnded) this.#close(stream);
    stream.sendEnded();
  }

  #sendTrailers(stream: H2Stream, trailers: HeaderList): void {
    this.encoder.begin();
    encodeList(this.encoder, trailers);
    this.sendFields(stream, true);
  }

  #widenSend(stream: H2Stream, bytes: number): void {
    stream.sendWindow += bytes;
    if (stream.sendWindow > MAX_31_BITS) throw new SessionError(H2_CODE.flow_control_error, "A window is too large.");
    this.#turns.wake(stream);
  }

  /** The peer broke a rule of a stream: it is reset. */
  #breakRule(stream: H2Stream, code: number = H2_CODE.protocol_error): void {
    this.streams.remember(stream.id);
    this.#writer.reset(stream.id, code);
    this.#break(stream, { reason: "protocol", code });
    this.#budget.spendReset();
  }

  #break(stream: H2Stream, cause: StreamBreak): void {
    this.#close(stream);
    stream.broken(cause);
  }

  #breakAll(reason: "closed", code: number): void {
    for (const stream of this.streams.all()) this.#break(stream, { reason, code });
  }

  #close(stream: H2Stream): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    stream.queue.length = 0;
    stream.trailers = null;
    this.wheel.remove(stream);
    this.streams.delete(stream);
    this.#options.owner.streamClosed(stream);
    if (this.streams.size > 0) return;
    this.#idleAt = now();
    this.#finishIfDone();
    this.#settle();
  }

  // The life of the connection

  #takePreface(bytes: Buffer): Buffer {
    const came = Math.min(bytes.length, PREFACE.length - this.#prefaced);
    if (bytes.compare(PREFACE, this.#prefaced, this.#prefaced + came, 0, came) !== 0) {
      throw protocolError("The connection begins with no preface of HTTP/2.");
    }
    this.#prefaced += came;
    return bytes.subarray(came);
  }

  /** Says which stream was the last that is looked at. */
  #tellLast(): void {
    if (this.#state !== "open" || this.#drain === "told") return;
    this.#drain = "told";
    this.#goAway(H2_CODE.no_error, "");
    this.#finishIfDone();
  }

  #goAway(code: number, detail: string): void {
    this.#writer.goAway(this.#options.role === "server" ? this.streams.lastId : 0, code, detail);
    this.#options.owner.going();
  }

  #fail(error: SessionError): void {
    if (this.#state !== "open") return;
    this.#goAway(error.code, error.message);
    this.#linger();
    this.#breakAll("closed", error.code);
  }

  #finishIfDone(): void {
    const isGoing = this.#drain === "told" || this.#closesAfter || this.#isPeerGoing;
    if (this.#state !== "open" || !isGoing || this.streams.size > 0) return;
    if (this.#drain !== "told") {
      this.#tellLast();
      return;
    }
    this.#linger();
  }

  #linger(): void {
    this.#state = "lingering";
    this.#input.stop();
    this.outlet.end();
    this.#pauseReading(false);
    this.#settle();
  }

  #pauseReading(isPaused: boolean): void {
    if (isPaused === this.#isReadPaused) return;
    this.#isReadPaused = isPaused;
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Lets the one timer wait for what is to be waited for now. */
  #settle(): void {
    if (this.#state === "closed") return;
    if (this.#writer.blockedBytes > BLOCKED_BYTES) this.#pauseReading(true);
    const wait = this.#toWaitFor;
    const isSame = wait === this.#wait && (wait !== "head" || this.#input.count === this.#partialCount);
    if (isSame) return;
    this.#wait = wait;
    this.#partialCount = this.#input.count;
    this.wheel.arm(this, this.#waitMs(wait));
  }

  get #toWaitFor(): Wait {
    if (this.outlet.isBlocked) return "blocked";
    if (this.#state === "lingering") return "linger";
    if (!this.#input.hasSettings || this.#input.isPartial) return "head";
    if (this.#drain === "asked") return "drain";
    return this.streams.size === 0 ? "idle" : "none";
  }

  #waitMs(wait: Wait): number {
    if (wait === "linger") return LINGER_MS;
    if (wait === "drain") return DRAIN_MS;
    if (wait === "head") return this.#options.limits.headMs;
    return wait === "none" ? 0 : this.#options.limits.idleMs;
  }
}
