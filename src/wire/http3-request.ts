import { GatewayError } from "../errors.ts";
import type { BodySink, BodySource } from "./body.ts";
import { now } from "./event.ts";
import type { Exchange } from "./exchange.ts";
import { StreamSource } from "./fetch-body.ts";
import { type HeadLimits, type ParsedRequest, parseRequest } from "./parse-request.ts";

/**
 * The head of a request that the runtime read, under the same rules as one on our own wire. The target is what the
 * runtime made of it. Throws a GatewayError as `parseRequest` does.
 */
export function http3Head(request: Request, limits: HeadLimits): ParsedRequest {
  const { url, headers, method } = request;
  const path = url.startsWith("https://") ? url.indexOf("/", 8) : -1;
  if (path < 0) throw new GatewayError("bad_request", "The request names no valid host or path.");
  let text = `${method} ${url.slice(path)} HTTP/1.1\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  if (text.length > limits.headerBytes) {
    throw new GatewayError("headers_too_large", `The head is over ${limits.headerBytes} bytes.`);
  }
  const head = parseRequest(text.slice(0, -2), limits);
  head.protocol = "HTTP/3.0";
  return head;
}

/** The body of a request, counted and bounded. */
export class Http3Body implements BodySource {
  readonly length: number | null;
  readonly #source: StreamSource;
  readonly #exchange: Exchange;
  readonly #maxBytes: number;

  constructor(stream: ReadableStream<Uint8Array>, exchange: Exchange, { length, maxBytes }: BodyBounds) {
    this.length = length;
    this.#source = new StreamSource(stream.getReader(), length);
    this.#exchange = exchange;
    this.#maxBytes = maxBytes ?? Number.POSITIVE_INFINITY;
  }

  pipe(sink: BodySink): void {
    const exchange = this.#exchange;
    this.#source.pipe({
      write: (bytes) => {
        exchange.bytesReceived += bytes.length;
        if (exchange.bytesReceived <= this.#maxBytes) return sink.write(bytes);
        this.#source.cancel();
        const error = new GatewayError("payload_too_large", `The body is over ${this.#maxBytes} bytes.`);
        sink.fail(error);
        exchange.refuse(error);
        return false;
      },
      end: (trailers) => {
        exchange.requestEndedAt = now();
        sink.end(trailers);
      },
      // The runtime's stream fails when the client left.
      fail: (cause) => sink.fail(new GatewayError("client_closed", "The client closed the connection.", { cause })),
    });
  }

  pause(): void {
    this.#source.pause();
  }

  resume(): void {
    this.#source.resume();
  }

  cancel(): void {
    this.#source.cancel();
  }
}

export interface BodyBounds {
  /** Where it was announced. */
  readonly length: number | null;
  /** Null for no bound. */
  readonly maxBytes: number | null;
}
