import { DEFAULT_WINDOW_BYTES, H2_CODE, MAX_31_BITS, MAX_FRAME_BYTES } from "./frame.ts";
import { readUint32 } from "./frame-reader.ts";
import { protocolError, SessionError } from "./session-error.ts";
import type { SessionLimits } from "./session-options.ts";

/** Identifiers of settings (RFC 9113 6.5.2, RFC 8441 3). */
const SETTING = {
  header_table_size: 1,
  enable_push: 2,
  max_concurrent_streams: 3,
  initial_window_size: 4,
  max_frame_size: 5,
  max_header_list_size: 6,
  enable_connect_protocol: 8,
} as const;

const SETTING_BYTES = 6;
const LARGEST_FRAME_BYTES = 0xff_ffff;

/** What the peer takes; the protocol's defaults before its first SETTINGS. */
export class PeerSettings {
  headerTableBytes = 4096;
  maxStreams = Number.POSITIVE_INFINITY;
  windowBytes = DEFAULT_WINDOW_BYTES;
  maxFrameBytes = MAX_FRAME_BYTES;
  maxHeaderListBytes = Number.POSITIVE_INFINITY;
  /** True when it takes WebSockets as extended CONNECT. */
  allowsConnect = false;
  readonly #isServer: boolean;

  /** `isServer`: the peer is one, which pushes nothing here. */
  constructor(isServer: boolean) {
    this.#isServer = isServer;
  }

  /** Takes a SETTINGS frame's payload over. Throws SessionError for values that RFC 9113 forbids. */
  read(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at += SETTING_BYTES) {
      this.#take(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0), readUint32(bytes, at + 2));
    }
  }

  #take(id: number, value: number): void {
    switch (id) {
      case SETTING.header_table_size:
        this.headerTableBytes = value;
        break;
      case SETTING.enable_push:
        if (value > 1 || (value === 1 && this.#isServer)) throw protocolError("ENABLE_PUSH has a forbidden value.");
        break;
      case SETTING.max_concurrent_streams:
        this.maxStreams = value;
        break;
      case SETTING.initial_window_size:
        if (value > MAX_31_BITS) throw new SessionError(H2_CODE.flow_control_error, "The initial window is too large.");
        this.windowBytes = value;
        break;
      case SETTING.max_frame_size:
        if (value < MAX_FRAME_BYTES || value > LARGEST_FRAME_BYTES) throw protocolError("MAX_FRAME_SIZE is forbidden.");
        this.maxFrameBytes = value;
        break;
      case SETTING.max_header_list_size:
        this.maxHeaderListBytes = value;
        break;
      case SETTING.enable_connect_protocol:
        if (value > 1 || (value === 0 && this.allowsConnect)) throw protocolError("ENABLE_CONNECT_PROTOCOL is wrong.");
        this.allowsConnect = value === 1;
        break;
    }
  }
}

/** What we tell the peer that we take: a list of identifiers and values. */
export function ownSettings(
  isServer: boolean,
  { headerListBytes, maxStreams }: Pick<SessionLimits, "headerListBytes" | "maxStreams">,
): readonly (readonly [number, number])[] {
  const listSize = [SETTING.max_header_list_size, headerListBytes] as const;
  if (!isServer) return [[SETTING.enable_push, 0], listSize];
  return [[SETTING.max_concurrent_streams, maxStreams], listSize, [SETTING.enable_connect_protocol, 1]];
}
