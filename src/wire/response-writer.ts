import { GatewayError } from "../errors.ts";
import type { BodySink, BodySource } from "./body.ts";
import type { Exchange } from "./exchange.ts";
import type { HeaderList } from "./header-list.ts";
import type { Outlet } from "./outlet.ts";
import type { Delimiter } from "./response-text.ts";

/** The connection that a response's body leaves by. */
export interface ResponseWriterOwner {
  readonly outlet: Outlet;
  /** The peer takes no more for now; called for each piece while that is so, as its patience begins anew. */
  armIdle(): void;
  responseEnded(): void;
  /** The body came to a bad end after the head had left. */
  responseBroken(error: GatewayError): void;
}

/** Frames a streamed body for the client. */
export class ResponseWriter implements BodySink {
  readonly source: BodySource;
  readonly delimiter: Delimiter;
  readonly #owner: ResponseWriterOwner;
  readonly #exchange: Exchange;
  #left: number;

  constructor(owner: ResponseWriterOwner, exchange: Exchange, source: BodySource, delimiter: Delimiter) {
    this.#owner = owner;
    this.#exchange = exchange;
    this.source = source;
    this.delimiter = delimiter;
    this.#left = source.length ?? 0;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#exchange.isDone) return true;
    if (bytes.length > 0 && this.delimiter !== "none") this.#frame(bytes);
    if (!this.#owner.outlet.isBlocked) return true;
    this.#owner.armIdle();
    return false;
  }

  end(trailers: HeaderList | null): void {
    if (this.#exchange.isDone) return;
    if (this.delimiter === "length" && this.#left > 0) {
      this.fail(new GatewayError("upstream_reset", "The response ended before its Content-Length."));
      return;
    }
    if (this.delimiter === "chunked") this.#owner.outlet.text(lastChunk(trailers));
    this.#owner.responseEnded();
  }

  fail(error: GatewayError): void {
    if (!this.#exchange.isDone) this.#owner.responseBroken(error);
  }

  #frame(bytes: Uint8Array): void {
    const { outlet } = this.#owner;
    this.#exchange.bytesSent += bytes.length;
    if (this.delimiter === "chunked") {
      outlet.text(`${bytes.length.toString(16)}\r\n`);
      outlet.bytes(bytes);
      outlet.text("\r\n");
      return;
    }
    this.#left -= bytes.length;
    if (this.delimiter === "length" && this.#left < 0) {
      // More than was announced would be read as the next response: nothing of it may leave.
      this.source.cancel();
      this.fail(new GatewayError("internal", "The response is longer than its Content-Length."));
      return;
    }
    outlet.bytes(bytes);
  }
}

/** The end of a chunked body with its trailer section (RFC 9112 7.1.2). */
export function lastChunk(trailers: HeaderList | null): string {
  return trailers === null ? "0\r\n\r\n" : `0\r\n${trailers.lines.join("\r\n")}\r\n\r\n`;
}
