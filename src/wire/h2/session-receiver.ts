import { allowedTrailers } from "../chunked.ts";
import type { HeaderList } from "../header-list.ts";
import { H2_CODE, MAX_31_BITS } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { SessionBudget } from "./session-budget.ts";
import type { SessionCredit } from "./session-credit.ts";
import { protocolError, SessionError } from "./session-error.ts";
import type { SessionEvents } from "./session-input.ts";
import type { SessionOptions } from "./session-options.ts";
import type { SessionStreams } from "./session-streams.ts";
import type { SessionTurns } from "./session-turns.ts";
import type { H2Stream, StreamBreak } from "./stream.ts";
import type { FieldSection } from "./stream-fields.ts";

/** What frames ask of the connection as a whole. */
export interface ReceiverHost {
  /** False once the peer was told which stream was the last. */
  readonly takesStreams: boolean;
  settingsCame(bytes: Uint8Array, from: number, to: number): void;
  pingCame(payload: Uint8Array, isAck: boolean): void;
  goAwayCame(lastStreamId: number): void;
  /** A stream was opened. */
  enroll(stream: H2Stream): void;
  /** A stream is over. */
  streamOver(stream: H2Stream): void;
}

export interface ReceiverDeps {
  readonly host: ReceiverHost;
  readonly options: SessionOptions;
  readonly streams: SessionStreams;
  readonly writer: FrameWriter;
  readonly budget: SessionBudget;
  readonly credit: SessionCredit;
  readonly turns: SessionTurns;
}

/** Brings what frames say to the streams that they are for, by the rules of a stream's life (RFC 9113 5.1). */
export class SessionReceiver implements SessionEvents {
  readonly #host: ReceiverHost;
  readonly #options: SessionOptions;
  readonly #streams: SessionStreams;
  readonly #writer: FrameWriter;
  readonly #budget: SessionBudget;
  readonly #credit: SessionCredit;
  readonly #turns: SessionTurns;
  /** The stream of the DATA frame under way, null when nobody wants it; and what of the frame is not passed on. */
  #dataStream: H2Stream | null = null;
  #dataRest = 0;

  constructor({ host, options, streams, writer, budget, credit, turns }: ReceiverDeps) {
    this.#host = host;
    this.#options = options;
    this.#streams = streams;
    this.#writer = writer;
    this.#budget = budget;
    this.#credit = credit;
    this.#turns = turns;
  }

  settingsCame(bytes: Uint8Array, from: number, to: number): void {
    this.#host.settingsCame(bytes, from, to);
  }

  pingCame(payload: Uint8Array, isAck: boolean): void {
    this.#host.pingCame(payload, isAck);
  }

  goAwayCame(lastStreamId: number): void {
    this.#host.goAwayCame(lastStreamId);
  }

  windowCame(streamId: number, bytes: number): void {
    if (streamId === 0) {
      if (bytes === 0) throw protocolError("A window was opened by nothing.");
      this.#turns.widen(bytes);
      return;
    }
    const stream = this.#streams.get(streamId);
    if (stream === null) {
      if (this.#streams.state(streamId) === "idle") throw protocolError("A window of a stream that is not open.");
    } else if (bytes === 0) this.#breakRule(stream, H2_CODE.protocol_error);
    else if (stream.sendWindow + bytes > MAX_31_BITS) this.#breakRule(stream, H2_CODE.flow_control_error);
    else this.#turns.widenStream(stream, bytes);
  }

  resetCame(streamId: number, code: number): void {
    const stream = this.#streams.get(streamId);
    if (stream === null) {
      if (this.#streams.state(streamId) === "idle") throw protocolError("A stream was reset that is not open.");
      this.#budget.spend();
      return;
    }
    this.break(stream, { reason: code === H2_CODE.refused_stream ? "refused" : "reset", code });
    this.#budget.spendReset();
  }

  sectionCame(streamId: number, section: FieldSection, isEnd: boolean): void {
    const stream = this.#streams.get(streamId);
    if (stream === null) this.#headOfNone(streamId, section, isEnd);
    else if (stream.isRemoteEnded) this.#breakRule(stream, H2_CODE.stream_closed);
    else if (!stream.hasHead) this.#head(stream, section, isEnd);
    else if (!isEnd || section.trailersFault !== null || section.isTooLarge) this.#breakRule(stream);
    else this.#remoteEnded(stream, allowedTrailers(section.regular.list()));
  }

  dataBegan(streamId: number, length: number): void {
    this.#credit.charge(length);
    const stream = this.#streams.get(streamId);
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

  /** HEADERS on an id that no open stream has: a server's next request, or a mistake. */
  #headOfNone(id: number, section: FieldSection, isEnd: boolean): void {
    const state = this.#streams.state(id);
    if (state === "reset") {
      // Trailers may have been under way, but no more than those.
      this.#budget.spend();
      return;
    }
    if (state === "over") throw new SessionError(H2_CODE.stream_closed, "HEADERS came on a closed stream.");
    if (state === "skipped" || this.#options.role === "client" || id % 2 === 0) {
      throw protocolError("HEADERS came with an id that cannot be used.");
    }
    const { limits, owner } = this.#options;
    if (!this.#host.takesStreams || this.#streams.size >= limits.maxStreams) {
      this.#budget.spend();
      this.#streams.use(id);
      this.#streams.remember(id);
      this.#writer.reset(id, H2_CODE.refused_stream);
      return;
    }
    const stream = owner.accept();
    this.#streams.open(stream, id);
    this.#host.enroll(stream);
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
    if (isEnd && stream.isLocalEnded) this.#host.streamOver(stream);
  }

  #dataOfNone(id: number): void {
    const state = this.#streams.state(id);
    if (state === "reset") return;
    if (state !== "over") throw protocolError("DATA came on a stream that is not open.");
    this.#budget.spend();
    this.#streams.remember(id);
    this.#writer.reset(id, H2_CODE.stream_closed);
  }

  #remoteEnded(stream: H2Stream, trailers: HeaderList | null): void {
    if (stream.expectedBytes > 0) {
      this.#breakRule(stream);
      return;
    }
    stream.isRemoteEnded = true;
    stream.endCame(trailers);
    if (stream.isLocalEnded) this.#host.streamOver(stream);
  }

  /** The peer broke a rule of a stream: it is reset. */
  #breakRule(stream: H2Stream, code: number = H2_CODE.protocol_error): void {
    this.#streams.remember(stream.id);
    this.#writer.reset(stream.id, code);
    this.break(stream, { reason: "protocol", code });
    this.#budget.spendReset();
  }

  /** Ends a stream before its time. */
  break(stream: H2Stream, cause: StreamBreak): void {
    this.#host.streamOver(stream);
    stream.broken(cause);
  }
}
