import type { TimerWheel } from "../timer-wheel.ts";
import type { H2Stream } from "./stream.ts";

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
