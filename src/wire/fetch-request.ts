import { GatewayError } from "../errors.ts";
import type { BodySource } from "./body.ts";
import type { Exchange } from "./exchange.ts";
import { BytesSource, bodyOf, collect, Gathered, LazyBody, lazyBodyOf, StreamSource } from "./fetch-body.ts";
import type { HeaderList } from "./header-list.ts";

/** What a plugin read of a request's body is kept up to here, so that it can still go upstream. */
export const KEPT_BYTES = 10 * 1024 * 1024;

/** Absolute URL of the request, byte for byte as the client sent its target. */
export function requestUrl(exchange: Exchange): string {
  const { authority, scheme, target } = exchange;
  // HTTP/1.0 needs no Host, and `OPTIONS *` has no path.
  return `${scheme}://${authority === "" ? "localhost" : authority}${target.startsWith("/") ? target : "/"}`;
}

/** One value for one name; cookies are joined by `; ` (RFC 6265 5.4), everything else by `, `. */
export function fieldOf(headers: HeaderList, name: string): string | null {
  const value = headers.get(name);
  const isSplit = value !== null && name.length === 6 && name.toLowerCase() === "cookie" && value.includes(",");
  return isSplit ? headers.values("cookie").join("; ") : value;
}

/** All fields by lower-case name. */
export function fieldsOf(headers: HeaderList): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  for (const name of headers.names) fields[name] ??= fieldOf(headers, name) ?? "";
  return fields;
}

/**
 * Reads the request's body whole and keeps it, so that it goes upstream all the same.
 * Rejects with `payload_too_large` over `KEPT_BYTES`, and with what the client's connection came to.
 */
export async function readBody(exchange: Exchange): Promise<Uint8Array<ArrayBuffer>> {
  const { body } = exchange;
  if (body === null) return new Uint8Array(0);
  const bytes = await collect(body, KEPT_BYTES);
  exchange.body = new BytesSource(bytes);
  return bytes;
}

/** A real `Request` made from an exchange, and what is needed to carry a plugin's changes back. */
export class RealRequest {
  readonly request: Request;
  readonly #exchange: Exchange;
  readonly #before: HeaderList;
  readonly #lazy: LazyBody | null;
  readonly #kept = new Gathered(KEPT_BYTES);
  #isWhole = false;

  /** `isSent`: the body is on its way already, so that only one which was kept can be read again. */
  constructor(exchange: Exchange, isSent: boolean) {
    const { headers, method, signal } = exchange;
    const body = isSent && !(exchange.body instanceof BytesSource) ? null : exchange.body;
    this.#exchange = exchange;
    this.#before = headers.copy();
    this.#lazy = body === null ? null : new LazyBody(body, (bytes) => this.#keep(bytes));
    this.request = new Request(requestUrl(exchange), {
      method,
      headers: fieldsOf(headers),
      signal,
      ...(this.#lazy === null ? {} : { body: this.#lazy.stream, duplex: "half" }),
    });
  }

  /** Carries what was done to this request, or the one that was put in its place, into the exchange. */
  commit(replaced: Request, cached: () => Promise<Uint8Array> | null): Promise<void> | null {
    applyHeaders(this.#exchange, this.#before, replaced.headers);
    if (replaced === this.request) {
      this.#commitOwnBody();
      return null;
    }
    const { method, url } = this.request;
    if (replaced.method !== method) this.#exchange.upstreamMethod = replaced.method;
    if (replaced.url !== url) applyUrl(this.#exchange, replaced.url);
    return this.#commitNewBody(replaced, cached);
  }

  #keep(bytes: Uint8Array<ArrayBuffer> | null): void {
    if (bytes === null) this.#isWhole = true;
    else this.#kept.add(bytes);
  }

  #commitOwnBody(): void {
    const lazy = this.#lazy;
    if (lazy === null) return;
    const { body } = this.request;
    if (this.#isWhole && !this.#kept.isOver) this.#exchange.body = new BytesSource(this.#kept.bytes());
    else if (lazy.isUntouched) lazy.take();
    else if (body !== null && body !== lazy.stream && !body.locked && !this.request.bodyUsed) {
      // A clone took one half of the stream; the other goes upstream.
      this.#exchange.body = new StreamSource(body.getReader(), lazy.source.length);
    } else throw goneBody(this.#kept.isOver);
  }

  async #commitNewBody(replaced: Request, cached: () => Promise<Uint8Array> | null): Promise<void> {
    const exchange = this.#exchange;
    const stream = replaced.body;
    if (stream !== null && lazyBodyOf(stream) === this.#lazy && this.#lazy?.isUntouched) {
      this.#lazy.take();
      return;
    }
    if (replaced.bodyUsed) {
      const bytes = await cached();
      if (bytes === null) throw goneBody(false);
      exchange.body = new BytesSource(bytes);
      return;
    }
    const body = stream === null ? null : await bodyOf(stream);
    const isAbandoned = body === null || body instanceof Uint8Array;
    if (isAbandoned && this.#lazy?.isUntouched) this.#lazy.source.cancel();
    exchange.body = sourceOf(body);
  }
}

function sourceOf(body: Uint8Array | BodySource | null): BodySource | null {
  return body instanceof Uint8Array ? new BytesSource(body) : body;
}

function goneBody(isOver: boolean): GatewayError {
  if (isOver) {
    return new GatewayError("payload_too_large", `A plugin read this body; at most ${KEPT_BYTES} bytes are kept.`);
  }
  const cause = new TypeError("a plugin took the request's body and put nothing in its place");
  return new GatewayError("internal", "The gateway could not handle this request.", { cause });
}

function applyUrl(exchange: Exchange, text: string): void {
  const { host, pathname, search } = new URL(text);
  exchange.upstreamTarget = pathname + search;
  if (host !== new URL(requestUrl(exchange)).host) exchange.upstreamAuthority = host;
}

/** Carries only what differs: fields that nobody touched keep their order, case and duplicates. */
function applyHeaders(exchange: Exchange, before: HeaderList, after: Headers): void {
  const { headers } = exchange;
  for (const [name, value] of after) {
    if (value === fieldOf(before, name)) continue;
    if (name === "host") exchange.upstreamAuthority = value;
    headers.set(name, value);
  }
  for (const name of before.names) if (name !== "host" && !after.has(name)) headers.delete(name);
}
