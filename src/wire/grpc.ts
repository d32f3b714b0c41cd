import { STATUS_CODES } from "node:http";
import type { ErrorCode, GatewayError } from "../errors.ts";
import type { ResponseHead } from "./exchange.ts";
import { type HeaderList, headerList } from "./header-list.ts";

/** gRPC's own status codes, those that a gateway has use for. */
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/**
 * What each code is to a gRPC client. UNAVAILABLE is what clients try again; what is wrong with the request as HTTP
 * is INTERNAL, as gRPC's own mapping has it: no caller of a generated method chose it.
 */
const STATUSES: Readonly<Record<ErrorCode, number>> = {
  bad_request: INTERNAL,
  ambiguous_path: INTERNAL,
  unauthenticated: UNAUTHENTICATED,
  forbidden: PERMISSION_DENIED,
  route_not_found: UNIMPLEMENTED,
  method_not_allowed: UNIMPLEMENTED,
  request_timeout: DEADLINE_EXCEEDED,
  payload_too_large: RESOURCE_EXHAUSTED,
  uri_too_long: INTERNAL,
  expectation_failed: INTERNAL,
  misdirected_request: UNAVAILABLE,
  rate_limited: RESOURCE_EXHAUSTED,
  headers_too_large: RESOURCE_EXHAUSTED,
  client_closed: CANCELLED,
  internal: INTERNAL,
  backend_invalid: UNAVAILABLE,
  not_implemented: UNIMPLEMENTED,
  upstream_connect: UNAVAILABLE,
  upstream_reset: UNAVAILABLE,
  upstream_protocol: INTERNAL,
  no_endpoint: UNAVAILABLE,
  circuit_open: UNAVAILABLE,
  overloaded: UNAVAILABLE,
  draining: UNAVAILABLE,
  upstream_timeout: DEADLINE_EXCEEDED,
  version_not_supported: INTERNAL,
  loop_detected: INTERNAL,
};

const GRPC_TYPE = /^application\/grpc(?:$|[+;\t ])/i;

/** Says whether a request is a gRPC call, by its content type; gRPC-Web is not: its clients read statuses elsewhere. */
export function isGrpc(headers: HeaderList): boolean {
  const type = headers.first("content-type");
  return type !== null && type.length >= 16 && GRPC_TYPE.test(type);
}

/** The number that a code has as a gRPC status. */
export function grpcStatus(code: ErrorCode): number {
  return STATUSES[code];
}

// What may stand as it is (gRPC over HTTP2, "Percent-Byte-Unencoded").
const ENCODED = /[^ -$&-~]/;

/** A text as `grpc-message` has it: its UTF-8 bytes, those that are no printable ASCII and `%` percent-encoded. */
export function grpcMessage(text: string): string {
  if (!ENCODED.test(text)) return text;
  let encoded = "";
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** An error as a gRPC response of only trailers: they stand in the head, and there is no body. */
export function grpcHead(error: GatewayError): ResponseHead {
  const headers = headerList([
    ["Content-Type", "application/grpc"],
    ["grpc-status", String(grpcStatus(error.code))],
    ["grpc-message", grpcMessage(error.message)],
  ]);
  if (error.retryAfter !== null) headers.add("Retry-After", String(error.retryAfter));
  return { status: 200, reason: STATUS_CODES[200] ?? "", headers };
}
