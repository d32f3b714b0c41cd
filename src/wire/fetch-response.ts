import type { GatewayError } from "../errors.ts";
import type { BodySource } from "./body.ts";
import type { Body, Exchange, ResponseHead } from "./exchange.ts";
import { BytesSource, collect, LazyBody, StreamSource } from "./fetch-body.ts";
import { asHeaders, LightHeaders } from "./fetch-headers.ts";
import { refusalOf } from "./problem.ts";

const DECODER = new TextDecoder();

/**
 * Fetch `Response` over a head and a body from the wire. Its headers are the head's own list, so that setting one
 * costs no copy; its body becomes a stream only when somebody asks for it, and is spliced when nobody does.
 * What native code wants with a Response's insides (HTMLRewriter) needs `new Response(res.body, res)` first.
 */
export class LightResponse {
  // `instanceof Response` must hold; every member that a Response has is defined below.
  static {
    Object.setPrototypeOf(LightResponse.prototype, Response.prototype);
  }

  readonly head: ResponseHead;
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  #body: Body;
  #lazy: LazyBody | null = null;
  /** The half that stays here when a clone took the other. */
  #half: ReadableStream<Uint8Array> | null = null;
  #isRead = false;

  constructor(head: ResponseHead, body: Body) {
    this.head = head;
    this.status = head.status;
    this.statusText = head.reason;
    this.headers = asHeaders(new LightHeaders(head.headers));
    this.#body = body;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get type(): "default" {
    return "default";
  }

  get url(): string {
    return "";
  }

  get redirected(): boolean {
    return false;
  }

  get bodyUsed(): boolean {
    return this.#isRead || (this.#lazy?.isStarted === true && this.#half === null);
  }

  get body(): ReadableStream<Uint8Array> | null {
    if (this.#half !== null) return this.#half;
    const source = this.#source();
    if (source === null) return null;
    this.#lazy ??= new LazyBody(source);
    return this.#lazy.stream;
  }

  clone(): Response {
    if (this.bodyUsed) throw new TypeError("Response.clone: Body has already been used.");
    const stream = this.body;
    if (stream === null || this.#body instanceof Uint8Array) {
      return lightResponse({ ...this.head, headers: this.head.headers.copy() }, this.#body);
    }
    const [own, other] = stream.tee();
    this.#half = own;
    return new Response(other, { status: this.status, statusText: this.statusText, headers: this.headers });
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const isLocked = (this.#half ?? this.#lazy?.stream)?.locked === true;
    if (this.bodyUsed || isLocked) throw new TypeError("Body already used");
    this.#isRead = true;
    const bytes = await this.#collected();
    // Who read the body and left the response as it is wants it sent all the same.
    this.#body = this.#body === null ? null : bytes;
    this.#half = null;
    this.#lazy = null;
    return bytes;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).slice().buffer;
  }

  async text(): Promise<string> {
    return DECODER.decode(await this.bytes());
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.bytes()], { type: this.headers.get("content-type") ?? "" });
  }

  async formData(): ReturnType<Response["formData"]> {
    const type = this.headers.get("content-type") ?? "";
    return new Response(await this.bytes(), { headers: { "content-type": type } }).formData();
  }

  /** The body to be sent: untouched, kept after it was read, or the half that a clone left. Throws if it is gone. */
  take(): Body {
    if (this.#half !== null) {
      const source = new StreamSource(this.#half.getReader(), this.#source()?.length ?? null);
      this.#half = null;
      return source;
    }
    if (this.#lazy === null) return this.#body;
    if (this.#lazy.isUntouched) return this.#lazy.take();
    throw new TypeError("a plugin took the response's body and put nothing in its place");
  }

  /** Gives up a body that nobody can want any more, so that its connection becomes free. */
  release(): void {
    if (this.#half !== null || this.#lazy !== null || this.#body === null || this.#body instanceof Uint8Array) return;
    this.#body.cancel();
  }

  #source(): BodySource | null {
    return this.#body instanceof Uint8Array ? new BytesSource(this.#body) : this.#body;
  }

  #collected(): Promise<Uint8Array<ArrayBuffer>> {
    const stream = this.#half ?? this.#lazy?.stream;
    if (stream !== undefined) return new Response(stream).arrayBuffer().then((buffer) => new Uint8Array(buffer));
    const source = this.#source();
    return source === null ? Promise.resolve(new Uint8Array(0)) : collect(source);
  }
}

/** A response from the wire under the standard's type; the body is null for 204, 304 and answers to HEAD. */
export function lightResponse(head: ResponseHead, body: Body): Response {
  // Proven by test/plugins/fetch-objects.test.ts: it answers every member of `Response` and is an instance of it.
  return new LightResponse(head, body) as unknown as Response;
}

/** The light response that this is, or null for one that native code made. */
export function asLight(response: Response): LightResponse | null {
  const value: unknown = response;
  return value instanceof LightResponse ? value : null;
}

/** What tells an error to the exchange's client, as a response: its problem (RFC 9457), or a gRPC status. */
export function problemResponse(exchange: Exchange, error: GatewayError): Response {
  const { head, body } = refusalOf(exchange, error);
  return lightResponse(head, body);
}
