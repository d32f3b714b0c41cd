import type { HeaderList } from "../header-list.ts";
import { Timer, type TimerWheel } from "../timer-wheel.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";
import type { FieldSection } from "./stream-fields.ts";

/**
 * Why a stream is over before its time. `reset`: the peer said RST_STREAM; `refused`: the peer has not looked at it,
 * it may be sent again; `protocol`: what came for it broke a rule, and it was reset from here; `closed`: the
 * connection is gone.
 */
export interface StreamBreak {
  readonly reason: "reset" | "refused" | "protocol" | "closed";
  /** One of `H2_CODE`. */
  readonly code: number;
}

/** What a stream asks of its connection. */
export interface StreamCarrier {
  readonly wheel: TimerWheel;
  /** The one for this direction of the connection: a block begun must be sent before the next is begun. */
  readonly encoder: HpackEncoder;
  /** Ends the encoder's block and sends it as HEADERS. */
  sendFields(stream: H2Stream, isEnd: boolean): void;
  /** Sends such a block, made before: its bytes must still mean the same (see `HpackEncoder.generation`). */
  sendBlock(stream: H2Stream, block: Uint8Array, isEnd: boolean): void;
  /** Sends bytes, or keeps a copy until they may leave. False asks for no more until `sendReady`. */
  sendData(stream: H2Stream, bytes: Uint8Array, isEnd: boolean): boolean;
  /** Ends the stream behind all that was sent before. */
  sendEnd(stream: H2Stream, trailers: HeaderList | null): void;
  /** Gives the peer so many bytes of its windows back. */
  credit(stream: H2Stream, bytes: number): void;
  reset(stream: H2Stream, code: number): void;
  /** What came breaks the rules of a message: resets the stream and counts it against the peer. In hooks only. */
  resetMalformed(stream: H2Stream): void;
}

/**
 * One stream of a connection, either role's. The session calls the protected hooks, through `hooks`; whoever extends
 * it implements them. The timer is the extender's own to use; it is disarmed when the stream is over.
 */
export abstract class H2Stream extends Timer {
  /** 0 before it was opened. */
  id = 0;
  /** What all streams of the connection may be sent together; null before the peer may send. */
  connection: { readonly isSpent: boolean } | null = null;
  /** We send no more; the peer sends no more. */
  isLocalEnded = false;
  isRemoteEnded = false;
  /** True when it is over: both ended, reset by either side, or the connection gone. Nothing is sent any more. */
  isClosed = false;
  /** True once the final head came: what follows are data and trailers. */
  hasHead = false;
  /** Bytes that the peer has announced and not yet sent; -1 when it announced none. Set in `headCame`. */
  expectedBytes = -1;
  /** True when what still comes is thrown away: the peer gets none of the stream's window back for it. */
  isIgnored = false;
  readonly carrier: StreamCarrier;

  /** Flow control and the turns of sending, the session's. Windows may be negative (RFC 9113 6.9.2). */
  sendWindow = 0;
  receiveWindow = 0;
  owedBytes = 0;
  isWide = false;
  readonly queue: Uint8Array[] = [];
  /** Where in its first piece the queue begins. */
  queueAt = 0;
  ending: "none" | "end" | "trailers" = "none";
  trailers: HeaderList | null = null;
  nextTurn: H2Stream | null = null;
  hasTurn = false;

  constructor(carrier: StreamCarrier) {
    super();
    this.carrier = carrier;
  }

  /** True while something waits for the peer: the source of more should pause until `sendReady`. */
  get isSendBlocked(): boolean {
    return this.queue.length > 0 || this.hasTurn;
  }

  /**
   * A head came: the request's, an interim or the final response's. The section may be malformed or too large: ask it.
   * `isRemoteEnded` tells whether anything follows.
   */
  abstract headCame(section: FieldSection): void;
  /** Bytes of the body, valid during the call only. They are owed to the peer until `carrier.credit`. */
  abstract dataCame(bytes: Uint8Array): void;
  /** The peer's side is over, after `headCame` without `isRemoteEnded`. */
  abstract endCame(trailers: HeaderList | null): void;
  /** The stream is over before its time. Not called for what `carrier.reset` did. */
  abstract broken(cause: StreamBreak): void;
  /** Everything has left; more may be sent. */
  abstract sendReady(): void;
  /** The last of what was to be sent has left. */
  abstract sendEnded(): void;
  /** Something waits for the peer, or a part of it has just left: its patience begins anew. */
  abstract sendWaits(): void;
}
