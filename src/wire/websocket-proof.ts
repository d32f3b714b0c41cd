import { createHash } from "node:crypto";
import type { Exchange } from "./exchange.ts";

const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The `Sec-WebSocket-Accept` that proves that a request's key was read (RFC 6455 4.2.2); without a key, that of "". */
export function websocketProof({ headers }: Pick<Exchange, "headers">): string {
  const key = headers.first("sec-websocket-key") ?? "";
  return createHash("sha1")
    .update(key + WEBSOCKET_GUID)
    .digest("base64");
}
