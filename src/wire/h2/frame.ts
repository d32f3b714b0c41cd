/** Frame types (RFC 9113 6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rst_stream: 3,
  settings: 4,
  push_promise: 5,
  ping: 6,
  goaway: 7,
  window_update: 8,
  continuation: 9,
} as const;

/** Flags of frames; `ack` is that of SETTINGS and PING. */
export const FLAG = { end_stream: 1, ack: 1, end_headers: 4, padded: 8, priority: 32 } as const;

/** Error codes of RST_STREAM and GOAWAY (RFC 9113 7). */
export const H2_CODE = {
  no_error: 0,
  protocol_error: 1,
  internal_error: 2,
  flow_control_error: 3,
  settings_timeout: 4,
  stream_closed: 5,
  frame_size_error: 6,
  refused_stream: 7,
  cancel: 8,
  compression_error: 9,
  connect_error: 10,
  enhance_your_calm: 11,
  inadequate_security: 12,
  http_1_1_required: 13,
} as const;

/** What a client sends first (RFC 9113 3.4). */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Bytes in front of each frame's payload. */
export const FRAME_HEAD_BYTES = 9;
/** The largest payload that we take, and the largest we send unless the peer takes more: the protocol's default. */
export const MAX_FRAME_BYTES = 16_384;
/** Windows before any setting or update (RFC 9113 6.9.2). */
export const DEFAULT_WINDOW_BYTES = 65_535;
/** No window may grow beyond, and no stream's id. */
export const MAX_31_BITS = 0x7fff_ffff;
