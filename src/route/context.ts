import { Context, type HonoRequest } from "hono";
import { GatewayError } from "../errors.ts";
import type { Receiver } from "../wire/attempt.ts";
import type { Exchange } from "../wire/exchange.ts";
import { asLight, type LightResponse, problemResponse } from "../wire/fetch-response.ts";
import { asHonoRequest, GatewayRequest } from "./request.ts";

/** Sends the request on as it stands in the exchange; the receiver hears of the response's head or of a failure, once. */
export type Forward = (exchange: Exchange, receiver: Receiver) => void;

type SetHeader = (name: string, value?: string, options?: { readonly append?: boolean }) => void;

// What describes a body: it must not outlive it when an error takes its place.
const BODY_FIELDS = [
  "content-length",
  "content-encoding",
  "content-range",
  "content-disposition",
  "transfer-encoding",
  "etag",
  "last-modified",
  "cache-control",
  "expires",
];

function notFound({ env }: Context): Response {
  return problemResponse(env, new GatewayError("route_not_found", "A plugin found nothing at this address."));
}

/** Puts headers over a response as Hono's `c.res =` does: a name replaces, cookies are all kept. */
function mergeHeaders(from: Headers, into: Headers): void {
  const cookies = from.getSetCookie();
  if (cookies.length > 0) into.delete("set-cookie");
  for (const [name, value] of from) {
    if (name === "content-type") continue;
    if (name === "set-cookie") into.append(name, value);
    else into.set(name, value);
  }
}

/** What becomes of what a middleware's promise comes to; one pair serves all links of a request. */
export interface Settlers {
  readonly taken: (response: unknown) => void;
  readonly failed: (thrown: unknown) => void;
}

/** Hono's `Context` of one request on its way through a chain. `c.env` is the exchange. */
export class GatewayContext extends Context {
  /** Depth of the link that was entered last: `next()` may only go deeper. */
  depth = -1;
  /** The response that the last link waits for; null before it was reached. */
  arrival: Promise<void> | null = null;
  settlers: Settlers | null = null;
  readonly exchange: Exchange;
  readonly forward: Forward;
  readonly request: GatewayRequest;
  #hasResponse = false;
  /** What `c.header()` set before there was a response. */
  #prepared: Headers | null = null;
  #forwarded: LightResponse | null = null;
  #isDone = false;

  constructor(exchange: Exchange, forward: Forward) {
    // Hono reads its request only in `req`, which is overridden below.
    super(undefined as unknown as Request, { env: exchange, notFoundHandler: notFound });
    this.exchange = exchange;
    this.forward = forward;
    this.request = new GatewayRequest(exchange);
    const inherited: SetHeader = this.header;
    const header: SetHeader = (name, value, options) => {
      if (this.finalized) {
        if (!this.#editResponse(name, value, options?.append === true)) inherited(name, value, options);
        return;
      }
      inherited(name, value, options);
      this.#prepared ??= new Headers();
      edit(this.#prepared, { name, value, isAppended: options?.append === true });
    };
    this.header = header;
  }

  override get req(): HonoRequest {
    return asHonoRequest(this.request);
  }

  override get res(): Response {
    this.#hasResponse = true;
    return super.res;
  }

  override set res(response: Response | undefined) {
    const light = response === undefined ? null : asLight(response);
    if (light !== null && this.#hasResponse) {
      // Hono would copy the response and make a stream of its body.
      mergeHeaders(super.res.headers, light.headers);
      super.res = undefined;
    }
    super.res = response;
    this.#hasResponse = response !== undefined;
  }

  /** Takes what the last link got. It is dropped when a plugin answered meanwhile, as in a Hono app. */
  receive(response: Response): void {
    const light = asLight(response);
    if (this.#isDone || this.finalized) {
      light?.release();
      return;
    }
    this.#forwarded = light;
    this.#addPrepared(response.headers);
    this.res = response;
  }

  /** Answers with an error's response; headers that plugins set so far stay, as in a Hono app. */
  answerError(response: Response): void {
    if (this.#hasResponse) for (const name of BODY_FIELDS) this.res.headers.delete(name);
    else this.#addPrepared(response.headers);
    this.res = response;
  }

  /** The answer, at the end of the chain. What the upstream sent and nobody wants is given up. */
  finish(): Response {
    this.#isDone = true;
    const { res } = this;
    const forwarded = this.#forwarded;
    if (forwarded !== null && asLight(res) !== forwarded) forwarded.release();
    return res;
  }

  /** A response made before `c.header()` was called for it: its own fields win, as with `c.body()`. */
  #addPrepared(headers: Headers): void {
    if (this.#prepared === null) return;
    const cookies = this.#prepared.getSetCookie();
    for (const [name, value] of this.#prepared) {
      if (name !== "set-cookie" && !headers.has(name)) headers.set(name, value);
    }
    for (const cookie of cookies) headers.append("set-cookie", cookie);
  }

  /** False when the response does not let its headers be changed. */
  #editResponse(name: string, value: string | undefined, isAppended: boolean): boolean {
    const { headers } = this.res;
    try {
      edit(headers, { name, value, isAppended });
      return true;
    } catch {
      return false;
    }
  }
}

interface Edit {
  readonly name: string;
  readonly value: string | undefined;
  readonly isAppended: boolean;
}

function edit(headers: Headers, { name, value, isAppended }: Edit): void {
  if (value === undefined) headers.delete(name);
  else if (isAppended) headers.append(name, value);
  else headers.set(name, value);
}
