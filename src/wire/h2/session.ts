import type { Socket } from "bun";
import { now } from "../event.ts";
import type { HeaderList } from "../header-list.ts";
import { Outlet } from "../outlet.ts";
import { ReadGate } from "../read-gate.ts";
import type { SocketOwner } from "../socket-events.ts";
import type { TimerWheel } from "../timer-wheel.ts";
import { H2_CODE, MAX_31_BITS } from "./frame.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { SessionBudget } from "./session-budget.ts";
import { SessionClock, type Wait } from "./session-clock.ts";
import { SessionCredit } from "./session-credit.ts";
import { SessionError } from "./session-error.ts";
import { SessionInput } from "./session-input.ts";
import type { SessionOptions } from "./session-options.ts";
import { type ReceiverHost, SessionReceiver } from "./session-receiver.ts";
import { SessionStreams } from "./session-streams.ts";
import { SessionTurns } from "./session-turns.ts";
import { ownSettings, PeerSettings } from "./settings.ts";
import type { H2Stream, StreamCarrier } from "./stream.ts";
import { encodeList } from "./stream-encode.ts";

/** For so many bytes a closing connection is read on: the peer gets to read why. */
const LINGER_BYTES = 1024 * 1024;
const DRAIN_PING = Buffer.from("torii go", "latin1");
const LIFE_PING = Buffer.from("torii hi", "latin1");
/** What we write to a peer that does not read is bounded: from there on we do not read from it either. */
const BLOCKED_BYTES = 64 * 1024;
/** A new stream may be accompanied by so many frames that carry nothing themselves. */
const EARNED_FRAMES = 8;

/** `open`; `lingering`: all is said, the peer may still be reading; `closed`: the socket is gone. */
type State = "open" | "lingering" | "closed";

/** One HTTP/2 connection, either end of it (RFC 9113): frames, settings, windows, and the streams' lives. */
export class H2Session implements SocketOwner, ReceiverHost, StreamCarrier {
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
  readonly #receiver: SessionReceiver;
  readonly #clock: SessionClock;
  readonly #gate: ReadGate;
  #state: State = "open";
  /** `asked`: the peer knows that it should go; `told`: it knows which stream was the last. */
  #drain: "none" | "asked" | "told" = "none";
  #closesAfter = false;
  #isPeerGoing = false;
  #lingered = 0;
  /** When the last stream ended, or the connection began. */
  #idleAt = now();

  constructor(socket: Socket<unknown>, options: SessionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.wheel = options.wheel;
    this.#gate = new ReadGate(socket);
    this.#clock = new SessionClock(options.wheel, options.limits, (wait) => this.#due(wait));
    this.outlet = new Outlet(socket);
    this.peer = new PeerSettings(options.role === "client");
    this.#writer = new FrameWriter(this.outlet);
    this.#credit = new SessionCredit(this.#writer);
    this.streams = new SessionStreams(options.role);
    this.#turns = new SessionTurns({
      outlet: this.outlet,
      writer: this.#writer,
      budget: this.#budget,
      sentAll: (stream) => this.#localEnded(stream),
      sendTrailers: (stream, trailers) => this.#sendTrailers(stream, trailers),
    });
    this.#receiver = new SessionReceiver({
      host: this,
      options,
      streams: this.streams,
      writer: this.#writer,
      budget: this.#budget,
      credit: this.#credit,
      turns: this.#turns,
    });
    this.#input = new SessionInput({
      events: this.#receiver,
      budget: this.#budget,
      maxListBytes: options.limits.headerListBytes,
      awaitsPreface: options.role === "server",
    });
  }

  /** Sends what comes first on a connection. Call once, when the socket is open. */
  begin(): void {
    const { role, limits } = this.#options;
    if (role === "client") this.#writer.preface();
    this.#writer.settings(ownSettings(role === "server", limits));
    this.#credit.begin();
    this.#settle();
  }

  /** Says whether a stream may be opened now. A client's asks before each. */
  get canOpen(): boolean {
    const { streams } = this;
    const isGoing = this.#isPeerGoing || this.#closesAfter || this.#drain !== "none";
    return this.#state === "open" && !isGoing && streams.hasIds && streams.size < this.peer.maxStreams;
  }

  get takesStreams(): boolean {
    return this.#drain !== "told";
  }

  /** True once the peer's settings came. */
  get hasSettings(): boolean {
    return this.#input.hasSettings;
  }

  /** Opens a client's stream, `canOpen` being true; its HEADERS must be the next thing that is sent. */
  open(stream: H2Stream): void {
    this.streams.openNext(stream);
    this.enroll(stream);
  }

  /** Bytes that wait for the peer to take them. */
  get heldBytes(): number {
    let bytes = this.outlet.heldBytes;
    for (const { queue } of this.streams.all()) for (const piece of queue) bytes += piece.length;
    return bytes;
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
    this.#gate.beginTurn();
    if (this.#gate.hasHeld) this.#gate.hold(bytes);
    else this.#consume(bytes, false);
  }

  /** Reads frames, but begins no more of a client's requests in one turn than it may. */
  #consume(bytes: Buffer, isOwn: boolean): void {
    try {
      const taken = this.#input.feed(bytes);
      if (taken < bytes.length) this.#putOff(bytes.subarray(taken), isOwn);
    } catch (error) {
      this.#fail(error instanceof SessionError ? error : new SessionError(H2_CODE.internal_error, ""));
      if (!(error instanceof SessionError)) throw error;
    }
    this.#turns.run();
    this.#settle();
  }

  #putOff(rest: Buffer, isOwn: boolean): void {
    this.#gate.hold(rest, isOwn);
    this.#gate.giveWay(() => {
      const held = this.#gate.takeHeld();
      this.#gate.set("peer", false);
      if (held !== null && this.#state === "open") this.#consume(held, true);
    });
  }

  onDrain(): void {
    if (this.outlet.drain()) {
      this.#writer.blockedBytes = 0;
      this.#gate.set("body", false);
      this.#turns.run();
    }
    this.#clock.restart();
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
    this.outlet.discard();
    this.#clock.stop();
    this.outlet.discard();
    this.#breakAll("closed", H2_CODE.cancel);
    this.#options.owner.closed();
  }

  #due(wait: Wait): void {
    if (wait === "head") {
      this.#fail(new SessionError(H2_CODE.enhance_your_calm, "A frame or field block took too long."));
    } else if (wait === "drain" || wait === "idle") this.#tellLast();
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
    if (more !== 0) for (const stream of this.streams.all()) this.#turns.widenStream(stream, more);
    this.#options.owner.settingsCame();
  }

  pingCame(payload: Uint8Array, isAck: boolean): void {
    if (!isAck) this.#writer.ping(payload, true);
    else if (this.#drain === "asked" && DRAIN_PING.equals(payload)) this.#tellLast();
  }

  goAwayCame(lastStreamId: number): void {
    this.#isPeerGoing = true;
    if (this.#options.role === "client") {
      for (const stream of this.streams.all()) {
        if (stream.id > lastStreamId) this.#receiver.break(stream, { reason: "refused", code: H2_CODE.refused_stream });
      }
    }
    this.#options.owner.going();
    this.#finishIfDone();
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
    this.streamOver(stream);
  }

  resetMalformed(stream: H2Stream): void {
    this.reset(stream, H2_CODE.protocol_error);
    this.#budget.spendReset();
  }

  // The life of a stream

  enroll(stream: H2Stream): void {
    stream.sendWindow = this.peer.windowBytes;
    this.#credit.enroll(stream);
    this.#budget.earn(EARNED_FRAMES);
    if (this.streams.size === 1) this.#settle();
    if (this.#options.role === "server" && !this.#gate.takeTurn()) this.#input.pause();
  }

  #localEnded(stream: H2Stream): void {
    stream.isLocalEnded = true;
    this.#budget.earnReset();
    if (stream.isRemoteEnded) this.streamOver(stream);
    stream.sendEnded();
  }

  #sendTrailers(stream: H2Stream, trailers: HeaderList): void {
    this.encoder.begin();
    encodeList(this.encoder, trailers);
    this.sendFields(stream, true);
  }

  #breakAll(reason: "closed", code: number): void {
    for (const stream of this.streams.all()) this.#receiver.break(stream, { reason, code });
  }

  streamOver(stream: H2Stream): void {
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
    this.#gate.set("body", false);
    this.#settle();
  }

  /** Lets the one timer wait for what is to be waited for now. */
  #settle(): void {
    if (this.#state === "closed") return;
    if (this.#writer.blockedBytes > BLOCKED_BYTES) this.#gate.set("body", true);
    this.#clock.waitFor(this.#toWaitFor, this.#input.count);
  }

  get #toWaitFor(): Wait {
    if (this.outlet.isBlocked) return "blocked";
    if (this.#state === "lingering") return "linger";
    if (!this.#input.hasSettings || this.#input.isPartial) return "head";
    if (this.#drain === "asked") return "drain";
    return this.streams.size === 0 ? "idle" : "none";
  }
}
