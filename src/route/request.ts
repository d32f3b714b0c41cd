import { HonoRequest } from "hono/request";
import { parseBody } from "hono/utils/body";
import { getPath, getQueryParam, getQueryParams } from "hono/utils/url";
import type { Exchange } from "../wire/exchange.ts";
import { fieldOf, fieldsOf, RealRequest, readBody, requestUrl } from "../wire/fetch-request.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Key = "text" | "arrayBuffer" | "blob" | "formData";

const KEYS: readonly Key[] = ["arrayBuffer", "blob", "text", "formData"];

/** What Hono's helpers read of a router's result: one route that takes everything. */
const MATCHED = { basePath: "/", path: "/*", method: "ALL", handler: () => undefined };

/**
 * Hono's `c.req` over an exchange. What it is asked for comes from the exchange; a real `Request` is made when
 * somebody takes `raw`. A body that was read whole here is kept and still goes upstream.
 */
export class GatewayRequest {
  // `hono/route` finds the matched routes under a symbol that Hono does not export.
  static {
    const [symbol] = Object.getOwnPropertySymbols(HonoRequest.prototype);
    const value = [[[[MATCHED.handler, MATCHED], {}]]];
    if (symbol !== undefined) Object.defineProperty(GatewayRequest.prototype, symbol, { value });
  }

  routeIndex = 0;
  bodyCache: Partial<Record<Key, Promise<unknown>>> = {};
  readonly #exchange: Exchange;
  #real: RealRequest | null = null;
  #raw: Request | null = null;
  #isSent = false;
  #validated: Record<string, unknown> = {};

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get raw(): Request {
    this.#raw ??= this.#made().request;
    return this.#raw;
  }

  set raw(request: Request) {
    this.#made();
    this.#raw = request;
  }

  get url(): string {
    return this.#raw === null ? requestUrl(this.#exchange) : this.#raw.url;
  }

  get method(): string {
    const isOwn = this.#raw === null || this.#raw === this.#real?.request;
    return isOwn ? this.#exchange.method : this.raw.method;
  }

  get path(): string {
    const { target } = this.#exchange;
    // `getPath` reads nothing but the URL; it decodes as every Hono app does.
    if (target.includes("%")) return getPath({ url: requestUrl(this.#exchange) } as Request);
    const query = target.indexOf("?");
    return query < 0 ? target : target.slice(0, query);
  }

  header(name?: string): string | undefined | Record<string, string> {
    if (this.#raw === null) {
      const { headers } = this.#exchange;
      return name === undefined ? fieldsOf(headers) : (fieldOf(headers, name) ?? undefined);
    }
    if (name !== undefined) return this.#raw.headers.get(name) ?? undefined;
    return Object.assign(Object.create(null), this.#raw.headers.toJSON());
  }

  param(name?: string): string | undefined | Readonly<Record<string, string>> {
    const params = this.#exchange.params ?? {};
    return name === undefined ? { ...params } : Object.hasOwn(params, name) ? params[name] : undefined;
  }

  query(name?: string) {
    return getQueryParam(this.url, name);
  }

  queries(name?: string) {
    return getQueryParams(this.url, name);
  }

  text(): Promise<unknown> {
    return this.#body("text");
  }

  async json(): Promise<unknown> {
    return JSON.parse(String(await this.#body("text")));
  }

  arrayBuffer(): Promise<unknown> {
    return this.#body("arrayBuffer");
  }

  async bytes(): Promise<Bytes> {
    return bytesOf(await this.#body("arrayBuffer"));
  }

  blob(): Promise<unknown> {
    return this.#body("blob");
  }

  formData(): Promise<unknown> {
    return this.#body("formData");
  }

  parseBody(options?: Parameters<typeof parseBody>[1]): Promise<unknown> {
    return parseBody(asHonoRequest(this), options);
  }

  addValidatedData(target: string, data: unknown): void {
    this.#validated[target] = data;
  }

  valid(target: string): unknown {
    return this.#validated[target];
  }

  get matchedRoutes(): readonly (typeof MATCHED)[] {
    return [MATCHED];
  }

  get routePath(): string {
    return MATCHED.path;
  }

  /** Brings what plugins did to the request into the exchange, once, before it goes upstream. */
  commit(): Promise<void> | null {
    this.#isSent = true;
    if (this.#real === null || this.#raw === null) return null;
    return this.#real.commit(this.#raw, () => this.#cached());
  }

  #made(): RealRequest {
    this.#real ??= new RealRequest(this.#exchange, this.#isSent);
    return this.#real;
  }

  /** As Hono does it: whoever reads second gets what the first read, in the form that he wants. */
  #body(key: Key): Promise<unknown> {
    const cached = this.bodyCache[key];
    if (cached !== undefined) return cached;
    const other = KEYS.find((known) => this.bodyCache[known] !== undefined);
    if (other !== undefined) return this.#converted(this.bodyCache[other], { from: other, to: key });
    const read = this.#real === null && !this.#isSent ? this.#kept(key) : this.raw[key]();
    this.bodyCache[key] = read;
    return read;
  }

  async #converted(body: Promise<unknown> | undefined, { from, to }: { from: Key; to: Key }): Promise<unknown> {
    const type = from === "formData" ? null : this.header("content-type");
    // The cache holds nothing but what a Response takes.
    return new Response(
      (await body) as string | ArrayBuffer | Blob,
      typeof type === "string" ? { headers: { "content-type": type } } : {},
    )[to]();
  }

  async #kept(key: Key): Promise<unknown> {
    const bytes = await readBody(this.#exchange);
    if (key === "arrayBuffer") return bytes.slice().buffer;
    const type = this.header("content-type");
    return new Response(bytes, typeof type === "string" ? { headers: { "content-type": type } } : {})[key]();
  }

  /** The bytes of a replaced request that was read through the methods above; null when it was not. */
  #cached(): Promise<Bytes> | null {
    const key = KEYS.find((known) => this.bodyCache[known] !== undefined);
    if (key === undefined) return null;
    return this.#body("arrayBuffer").then(bytesOf);
  }
}

function bytesOf(buffer: unknown): Bytes {
  return buffer instanceof ArrayBuffer ? new Uint8Array(buffer.slice(0)) : new Uint8Array(0);
}

/** The same object under Hono's type. */
export function asHonoRequest(request: GatewayRequest): HonoRequest {
  // Proven by the contract suite: every member of HonoRequest that middleware can call stands on the class.
  return request as unknown as HonoRequest;
}
