import { GatewayError } from "../errors.ts";
import type { BodySink, BodySource } from "./body.ts";
import { enter, leave, now } from "./event.ts";
import type { Body, Exchange, Responder, ResponseHead } from "./exchange.ts";
import type { ListenerContext } from "./listener-context.ts";
import { isBodiless } from "./parse-response.ts";
import { refusalOf } from "./problem.ts";
import { DROPPED_FIELDS } from "./response-text.ts";

/** What a call needs of its server. */
export type CallContext = Pick<ListenerContext<never>, "hooks" | "own">;

/** One request that came by HTTP/3: its exchange's response becomes the `Response` that the runtime sends. */
export class Http3Call implements Responder, BodySink {
  readonly #context: CallContext;
  readonly #onDone: () => void;
  readonly #answer = Promise.withResolvers<Response>();
  #source: BodySource | null = null;
  #exchange: Exchange | null = null;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  /** `onDone` is called once, after the hooks were. */
  constructor(context: CallContext, onDone: () => void) {
    this.#context = context;
    this.#onDone = onDone;
  }

  /** Gives the exchange to whoever serves it; resolves when its response has a head. Never rejects. */
  begin(exchange: Exchange, signal: AbortSignal): Promise<Response> {
    this.#exchange = exchange;
    signal.addEventListener("abort", () => this.#gone());
    enter();
    try {
      this.#context.hooks.onRequest(exchange);
    } finally {
      leave();
    }
    return this.#answer.promise;
  }

  respond(exchange: Exchange, head: ResponseHead, body: Body): void {
    if (exchange !== this.#exchange || exchange.isDone) return;
    exchange.isAnswered = true;
    exchange.status = head.status;
    const hasNone = isBodiless(head.status, exchange.method) || head.status === 205;
    if (body !== null && !(body instanceof Uint8Array) && !hasNone) {
      this.#source = body;
      this.#resolve(head, this.#stream());
      return;
    }
    if (body !== null && !(body instanceof Uint8Array)) body.cancel();
    // Bytes are lent for this call only.
    const bytes = body instanceof Uint8Array && !hasNone ? new Uint8Array(body) : null;
    exchange.bytesSent += bytes?.length ?? 0;
    this.#resolve(head, bytes);
    this.#finish(exchange);
  }

  /** The runtime sends no interim responses. */
  inform(): void {}

  refuse(exchange: Exchange, error: GatewayError): void {
    if (exchange !== this.#exchange) return;
    exchange.error ??= error;
    if (exchange.isAnswered) {
      this.#source?.cancel();
      exchange.gone(error);
      this.fail(error);
      return;
    }
    const { head, body } = refusalOf(exchange, error);
    exchange.respond(head, body);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#exchange !== null) this.#exchange.bytesSent += bytes.length;
    this.#controller?.enqueue(new Uint8Array(bytes));
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  /** Trailers are lost: the runtime has no way to send them. */
  end(): void {
    this.#controller?.close();
    if (this.#exchange !== null) this.#finish(this.#exchange);
  }

  fail(error: GatewayError): void {
    const exchange = this.#exchange;
    if (exchange === null || exchange.isDone) return;
    exchange.error ??= error;
    this.#controller?.error(error);
    this.#finish(exchange);
  }

  #resolve(head: ResponseHead, body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null): void {
    try {
      this.#answer.resolve(new Response(body, { status: head.status, headers: this.#headers(head) }));
    } catch (cause) {
      // The standard's Response takes no status over 599.
      this.#source?.cancel();
      this.#answer.resolve(new Response(null, { status: new GatewayError("upstream_protocol", "", { cause }).status }));
    }
  }

  #headers({ headers }: ResponseHead): Headers {
    const { own } = this.#context;
    const dropped = own === null ? DROPPED_FIELDS : own.without(DROPPED_FIELDS);
    const result = new Headers();
    headers.forEach((name, value) => {
      if (!dropped.has(name)) result.append(name, value);
    });
    for (const [name, value] of own?.pairs ?? []) result.append(name, value);
    return result;
  }

  /** Gives of the source what the client has room for, and no more. */
  #stream(): ReadableStream<Uint8Array> {
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const isFirst = this.#controller === null;
      this.#controller = controller;
      if (isFirst) this.#source?.pipe(this);
      else this.#source?.resume();
    };
    return new ReadableStream({ pull, cancel: () => this.#gone() }, { highWaterMark: 0 });
  }

  #gone(): void {
    const exchange = this.#exchange;
    if (exchange === null || exchange.isDone) return;
    const error = exchange.error ?? new GatewayError("client_closed", "The client closed the connection.");
    this.#source?.cancel();
    exchange.gone(error);
    this.#answer.resolve(new Response(null, { status: error.status }));
    this.#finish(exchange);
  }

  #finish(exchange: Exchange): void {
    if (exchange.isDone) return;
    exchange.isDone = true;
    exchange.endedAt = now();
    this.#context.hooks.onDone(exchange);
    this.#onDone();
  }
}
