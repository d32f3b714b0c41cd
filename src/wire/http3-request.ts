import { GatewayError } from "../errors.ts";
import type { BodySink, BodySource } from "./body.ts";
import { now } from "./event.ts";
import type { Exchange } from "./exchange.ts";
import { StreamSource } from "./fetch-body.ts";
import type { ListenerContext } from "./listener-context.ts";
import { type HeadLimits, type ParsedRequest, parseRequest } from "./parse-request.ts";
import { type UploadPace, uploadPace } from "./upload-pace.ts";

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
  readonly #pace: UploadPace | null;
  #sink: BodySink | null = null;

  constructor(stream: ReadableStream<Uint8Array>, exchange: Exchange, bounds: BodyBounds) {
    const { length, limits } = bounds;
    this.length = length;
    this.#source = new StreamSource(stream.getReader(), length);
    this.#exchange = exchange;
    this.#maxBytes = limits.bodyBytes ?? Number.POSITIVE_INFINITY;
    this.#pace = uploadPace(bounds, exchange, (error) => this.#fail(error));
  }

  pipe(sink: BodySink): void {
    this.#sink = sink;
    this.#source.pipe({
      write: (bytes) => this.#write(sink, bytes),
      end: (trailers) => {
        this.#pace?.end();
        this.#exchange.requestEndedAt = now();
        sink.end(trailers);
      },
      fail: (cause) => {
        this.#pace?.end();
        // The runtime's stream fails when the client left.
        sink.fail(new GatewayError("client_closed", "The client closed the connection.", { cause }));
      },
    });
  }

  pause(): void {
    this.#pace?.pause();
    this.#source.pause();
  }

  resume(): void {
    this.#pace?.resume();
    this.#source.resume();
  }

  cancel(): void {
    this.#pace?.end();
    this.#source.cancel();
  }

  #write(sink: BodySink, bytes: Uint8Array): boolean {
    const exchange = this.#exchange;
    exchange.bytesReceived += bytes.length;
    if (exchange.bytesReceived > this.#maxBytes) {
      this.#fail(new GatewayError("payload_too_large", `The body is over ${this.#maxBytes} bytes.`));
      return false;
    }
    this.#pace?.came(bytes.length);
    const isTaken = sink.write(bytes);
    if (!isTaken) this.#pace?.pause();
    return isTaken;
  }

  #fail(error: GatewayError): void {
    this.cancel();
    this.#sink?.fail(error);
    this.#exchange.refuse(error);
  }
}

export interface BodyBounds extends Pick<ListenerContext<never>, "limits" | "wheel"> {
  /** Where it was announced. */
  readonly length: number | null;
}
