import type { Socket } from "bun";
import { GatewayError } from "../../errors.ts";
import type { Attempt } from "../attempt.ts";
import type { SocketOwner } from "../socket-events.ts";
import { Timer, type TimerWheel } from "../timer-wheel.ts";
import { H2Session } from "./session.ts";
import type { SessionOwner } from "./session-options.ts";
import type { H2Stream } from "./stream.ts";
import { headSize, RequestHeads } from "./upstream-head.ts";
import { UpstreamResets } from "./upstream-resets.ts";
import { UpstreamStream, type UpstreamStreamOwner } from "./upstream-stream.ts";

/** Streams at once on one connection, however many more its peer would take. */
const STREAMS_LIMIT = 1000;
/** Bound on the fields of a response. */
const HEADER_LIST_BYTES = 64 * 1024;
/** After so much silence a peer is asked whether it is still there, before it is given a request. */
const SILENCE_MS = 10_000;

/** A peer that takes as much is not asked for each head whether it is too large. */
const ANY_HEAD_BYTES = 64 * 1024;
const TOO_LARGE = "The upstream takes no request with as many header fields, or as large ones.";
const NO_TUNNEL = "The upstream takes no WebSockets over HTTP/2.";

/** Where a connection belongs. */
export interface UpstreamSessionOwner {
  /** Another connection may take this one's place. */
  readonly hasRoom: boolean;
  /** Attempts may be begun, or more of them. */
  ready(session: UpstreamSession): void;
  /** No attempt may be begun any more. May be called more than once. */
  going(session: UpstreamSession): void;
  /** It breaks with attempts under way: others like it may have gone stale with it. */
  broke(session: UpstreamSession): void;
  closed(session: UpstreamSession): void;
  /** An attempt ended, one way or the other. */
  settled(): void;
}

export interface UpstreamSessionOptions {
  readonly scheme: "http" | "https";
  /** Patience for the peer's settings, and for its answer to a ping. */
  readonly connectMs: number;
  readonly idleMs: number;
  readonly wheel: TimerWheel;
}

/** An HTTP/2 connection to an endpoint: carries many attempts at once. */
export class UpstreamSession extends Timer implements SocketOwner, SessionOwner, UpstreamStreamOwner {
  readonly heads: RequestHeads;
  isReused = false;
  /** True while the peer is asked for a sign of life. */
  isProbing = false;
  readonly #wire: H2Session;
  readonly #owner: UpstreamSessionOwner;
  readonly #options: UpstreamSessionOptions;
  /** Streams whose responses began in this event. */
  readonly #held: UpstreamStream[] = [];
  readonly #resets = new UpstreamResets();
  /** It is closed when nothing is under way. */
  #isLeaving = false;
  #isDoubtful = false;
  #hasEnded = false;

  constructor(socket: Socket<unknown>, owner: UpstreamSessionOwner, options: UpstreamSessionOptions) {
    super();
    this.#owner = owner;
    this.#options = options;
    this.#wire = new H2Session(socket, {
      role: "client",
      owner: this,
      limits: { headerListBytes: HEADER_LIST_BYTES, maxStreams: 0, headMs: options.connectMs, idleMs: options.idleMs },
      wheel: options.wheel,
    });
    this.heads = new RequestHeads(this.#wire.encoder, options.scheme);
  }

  /** Sends what comes first. Call once, when the socket is open. */
  begin(): void {
    this.#wire.begin();
  }

  /** True once the peer's settings came: until then nothing was sent that it could have acted upon. */
  get hasBegun(): boolean {
    return this.#wire.hasSettings;
  }

  /** How many attempts the peer takes at once. */
  get capacity(): number {
    return Math.min(this.#wire.peer.maxStreams, STREAMS_LIMIT);
  }

  get isIdle(): boolean {
    return this.hasBegun && this.#wire.streams.size === 0;
  }

  /** Says whether an attempt may be begun now. Asks the peer for a sign of life where that is in doubt. */
  canTake(): boolean {
    const { size } = this.#wire.streams;
    if (
      this.isProbing ||
      this.#hasEnded ||
      this.#isLeaving ||
      !this.hasBegun ||
      !this.#wire.canOpen ||
      size >= STREAMS_LIMIT
    )
      return false;
    if (!this.#isDoubtful) return true;
    this.isProbing = true;
    this.#wire.ping();
    this.#options.wheel.arm(this, this.#options.connectMs);
    return false;
  }

  /** The peer gives a sign of life before the next attempt. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** Sends an attempt's request, `canTake` being true. */
  take(attempt: Attempt): void {
    const { exchange, receiver } = attempt;
    if (exchange.upgrade === "websocket" && !this.#wire.peer.allowsConnect) {
      this.#owner.settled();
      receiver.onFailure(exchange, new GatewayError("upstream_protocol", NO_TUNNEL, { sent: "nothing" }));
      return;
    }
    const { maxHeaderListBytes } = this.#wire.peer;
    if (maxHeaderListBytes < ANY_HEAD_BYTES && headSize(attempt) > maxHeaderListBytes) {
      this.#owner.settled();
      receiver.onFailure(exchange, new GatewayError("headers_too_large", TOO_LARGE, { sent: "nothing" }));
      return;
    }
    const stream = new UpstreamStream(this.#wire, attempt, this);
    this.#wire.open(stream);
    stream.begin();
  }

  /**
   * Takes no more attempts; closes when those under way have ended. The peer is told no sooner: some servers break off
   * what is under way on a connection whose client says that it is leaving (seen with Node's).
   */
  close(): void {
    this.#isLeaving = true;
    this.going();
    if (this.#wire.streams.size === 0) this.#wire.close();
  }

  /** The peer was silent for long, or gave no sign of life when it was asked for one. */
  override fire(): void {
    if (this.isProbing) this.#wire.terminate();
    else this.#isDoubtful = true;
  }

  // What the socket tells

  onData(bytes: Buffer): void {
    const wasProbing = this.isProbing;
    this.#isDoubtful = false;
    this.isProbing = false;
    this.#options.wheel.arm(this, SILENCE_MS);
    try {
      this.#wire.onData(bytes);
    } finally {
      // From here on the bytes are no longer valid.
      for (const stream of this.#held) stream.release();
      this.#held.length = 0;
    }
    if (wasProbing) this.#owner.ready(this);
  }

  onDrain(): void {
    this.#wire.onDrain();
  }

  onEnd(): void {
    this.#hasEnded = true;
    this.going();
    if (this.#wire.streams.size > 0) this.#owner.broke(this);
    this.#wire.onEnd();
  }

  onClose(isReset: boolean): void {
    this.#hasEnded = true;
    this.#options.wheel.remove(this);
    this.going();
    if (this.#wire.streams.size > 0) this.#owner.broke(this);
    this.#wire.onClose(isReset);
  }

  // SessionOwner

  accept(): H2Stream {
    throw new Error("a server opened a stream, which the session refuses");
  }

  settingsCame(): void {
    this.#owner.ready(this);
  }

  going(): void {
    this.#owner.going(this);
  }

  streamClosed(): void {
    this.isReused = true;
    if (this.#isLeaving && this.#wire.streams.size === 0) this.#wire.close();
    this.#owner.ready(this);
  }

  closed(): void {
    this.#owner.closed(this);
  }

  // UpstreamStreamOwner

  /** Before the endpoint takes it for an attack, another connection takes what is begun from now on. */
  abandoned(): void {
    this.#resets.add();
    if (this.#isLeaving || !this.#resets.isSpent || !this.#owner.hasRoom) return;
    this.#isLeaving = true;
    this.going();
  }

  get isDisturbed(): boolean {
    return this.#resets.areMany;
  }

  hold(stream: UpstreamStream): void {
    this.#held.push(stream);
  }

  settled(): void {
    this.#owner.settled();
  }
}
