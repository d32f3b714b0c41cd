import type { MiddlewareHandler } from "hono";
import { type GatewayError, toGatewayError } from "../errors.ts";
import type { Receiver, UpstreamResponse } from "../wire/attempt.ts";
import type { Exchange } from "../wire/exchange.ts";
import { asLight, lightResponse, problemResponse } from "../wire/fetch-response.ts";
import { sendResponse } from "../wire/fetch-send.ts";
import { type Forward, GatewayContext, type Settlers } from "./context.ts";

/** The middleware of a route, linked once when configuration is compiled. */
export interface Chain {
  /**
   * Answers an exchange: the request goes down, the response up. `forward` is the last link; it is called at most
   * once, with what plugins did to the request already in the exchange. An error becomes its problem. Never throws.
   */
  serve(exchange: Exchange, forward: Forward): void;
}

/** Resolves when the response is in the context. Rejects only with what is no Error, as Hono's `next()` does. */
type Link = (context: GatewayContext) => Promise<void>;

const DONE = Promise.resolve();

/** A chain of middleware, the first outermost. Their order and semantics are those of `app.use()` in Hono. */
export function linkChain(middleware: readonly MiddlewareHandler[]): Chain {
  const first = middleware.reduceRight<Link>((rest, handler, depth) => link(handler, depth, rest), last);
  return { serve: (exchange, forward) => serve(first, new GatewayContext(exchange, forward)) };
}

function serve(first: Link, context: GatewayContext): void {
  const top = first(context);
  if (top === DONE) answer(context);
  else {
    const done = () => answer(context);
    top.then(done, (thrown: unknown) => answerProblem(context, thrown));
  }
}

function answer(context: GatewayContext): void {
  try {
    if (!context.finalized) fail(context, new Error("no plugin answered, and none called next()"));
    void sendResponse(context.exchange, context.finish());
  } catch (thrown) {
    context.exchange.refuse(toGatewayError(thrown));
  }
}

function answerProblem(context: GatewayContext, thrown: unknown): void {
  context.answerError(problemOf(context, thrown));
  answer(context);
}

function link(handler: MiddlewareHandler, depth: number, rest: Link): Link {
  return (context) => {
    if (depth <= context.depth) return Promise.reject(new Error("next() called multiple times"));
    context.depth = depth;
    let passed: Promise<void> | undefined;
    const next = () => {
      const following = rest(context);
      passed ??= following;
      return following;
    };
    let result: unknown;
    try {
      result = handler(context, next);
    } catch (thrown) {
      return failed(context, thrown);
    }
    // `return next()` leaves nothing to wait for but what `next` waits for itself.
    if (result !== undefined && result === passed) return passed;
    return result instanceof Promise ? settle(context, result) : taken(context, result);
  };
}

function settle(context: GatewayContext, result: Promise<unknown>): Promise<void> {
  context.settlers ??= settlersOf(context);
  return result.then(context.settlers.taken, context.settlers.failed);
}

function settlersOf(context: GatewayContext): Settlers {
  return {
    taken: (response) => {
      if (response instanceof Response && !context.finalized) context.res = response;
    },
    failed: (thrown) => fail(context, thrown),
  };
}

function taken(context: GatewayContext, result: unknown): Promise<void> {
  if (result instanceof Response && !context.finalized) context.res = result;
  return DONE;
}

function failed(context: GatewayContext, thrown: unknown): Promise<void> {
  try {
    fail(context, thrown);
    return DONE;
  } catch (other) {
    return Promise.reject(other);
  }
}

function last(context: GatewayContext): Promise<void> {
  if (context.arrival !== null) return Promise.reject(new Error("next() called multiple times"));
  const arrival = new Arrival(context);
  context.arrival = arrival.promise;
  arrival.begin();
  return arrival.promise;
}

/** The response that a chain waits for. */
class Arrival implements Receiver {
  readonly promise: Promise<void>;
  readonly #context: GatewayContext;
  #resolve: () => void = () => {};

  constructor(context: GatewayContext) {
    this.#context = context;
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  begin(): void {
    const context = this.#context;
    context.exchange.claims = claimsOf(context);
    try {
      const committed = context.request.commit();
      if (committed === null) context.forward(context.exchange, this);
      else committed.then(() => context.forward(context.exchange, this)).catch((thrown: unknown) => this.#fail(thrown));
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  onResponse(_exchange: Exchange, { head, body }: UpstreamResponse): void {
    try {
      // Bytes are lent for this call only, and plugins run later.
      // The framing is the gateway's: what plugins see is the message, whatever way it came.
      head.headers.delete("transfer-encoding");
      head.headers.delete("connection");
      const kept = body instanceof Uint8Array ? Buffer.from(body) : body;
      this.#context.receive(lightResponse(head, kept));
      this.#resolve();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  onFailure(_exchange: Exchange, error: GatewayError): void {
    this.#fail(error);
  }

  #fail(thrown: unknown): void {
    fail(this.#context, thrown instanceof Error ? thrown : toGatewayError(thrown));
    this.#resolve();
  }
}

/** What a plugin that checked a token left under the name that Hono's own do. */
function claimsOf(context: GatewayContext): Readonly<Record<string, unknown>> | null {
  const claims: unknown = context.get("jwtPayload");
  return isRecord(claims) ? claims : null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** An Error becomes `c.error` and its response, at the level that threw; anything else goes on up. */
function fail(context: GatewayContext, thrown: unknown): void {
  if (!(thrown instanceof Error)) throw thrown;
  context.error = thrown;
  context.answerError("getResponse" in thrown ? ownResponse(context, thrown) : problemOf(context, thrown));
}

/** The response that an HTTPException brings along; by its shape, since packages may have a Hono of their own. */
function ownResponse(context: GatewayContext, thrown: Error & { readonly getResponse: unknown }): Response {
  const response: unknown = typeof thrown.getResponse === "function" ? thrown.getResponse() : null;
  if (!(response instanceof Response)) return problemOf(context, thrown);
  return asLight(response) === null ? new Response(response.body, response) : response;
}

function problemOf(context: GatewayContext, thrown: unknown): Response {
  const { exchange } = context;
  const error: GatewayError = toGatewayError(thrown);
  exchange.error ??= error;
  return problemResponse(exchange, error);
}
