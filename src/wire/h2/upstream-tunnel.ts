import type { Exchange, ResponseHead } from "../exchange.ts";
import { websocketProof } from "../websocket-proof.ts";
import { StreamTunnelEnd } from "./downstream-tunnel.ts";
import type { H2Stream } from "./stream.ts";
import type { FieldSection } from "./stream-fields.ts";

/** The upstream's end of a WebSocket that is a stream. */
export class UpstreamTunnelEnd extends StreamTunnelEnd {
  readonly #onTerminated: () => void;

  /** `onTerminated`: this side broke off. */
  constructor(stream: H2Stream, onTerminated: () => void) {
    super(stream);
    this.#onTerminated = onTerminated;
  }

  opened(): void {
    this.begin();
  }

  override terminate(): void {
    super.terminate();
    this.#onTerminated();
  }
}

/** What an HTTP/1.1 server would have said in the place of a 200 to CONNECT; it proves that the key was read. */
export function switchedHead(section: FieldSection, exchange: Exchange): ResponseHead {
  const headers = section.regular.list();
  headers.set("Upgrade", "websocket");
  headers.set("Sec-WebSocket-Accept", websocketProof(exchange));
  return { status: 101, reason: "Switching Protocols", headers };
}
