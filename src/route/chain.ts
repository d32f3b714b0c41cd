import type { MiddlewareHandler } from "hono";
import { type GatewayError, toGatewayError } from "../errors.ts";
import type { Exchange } from "../wire/exchange.ts";
import { asLight, problemResponse } from "../wire/fetch-response.ts";
import { type Forward, GatewayContext } from "./context.ts";

/** The middleware of a route, linked once when configuration is compiled. */
export interface Chain {
  /**
   * Runs the request down, the response up. `forward` is the last link; it is called at most once, with what
   * plugins did to the request already in the exchange. Resolves with the answer, an error's problem included;
   * never rejects. The answer is sent with `sendResponse`.
   */
  run(exchange: Exchange, forward: Forward): Promise<Response>;
}

/** Resolves when the response is in the context. Rejects only with what is no Error, as Hono's `next()` does. */
type Link = (context: GatewayContext) => Promise<void>;

const DONE = Promise.resolve();

/** A chain of middleware, the first outermost. Their order and semantics are those of `app.use()` in Hono. */
export function linkChain(middleware: readonly MiddlewareHandler[]): Chain {
  const first = middleware.reduceRight<Link>((rest, handler, depth) => link(handler, depth, rest), last);
  return { run: (exchange, forward) => run(first, new GatewayContext(exchange, forward)) };
}

async function run(first: Link, context: GatewayContext): Promise<Response> {
  try {
    await first(context);
    if (!context.finalized) await fail(context, new Error("no plugin answered, and none called next()"));
  } catch (thrown) {
    context.answerError(problemOf(context, thrown));
  }
  return context.finish();
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
      return fail(context, thrown);
    }
    // `return next()` leaves nothing to wait for but what `next` waits for itself.
    if (result !== undefined && result === passed) return passed;
    return result instanceof Promise ? settle(context, result) : taken(context, result);
  };
}

async function settle(context: GatewayContext, result: Promise<unknown>): Promise<void> {
  try {
    const response = await result;
    if (response instanceof Response && !context.finalized) context.res = response;
  } catch (thrown) {
    await fail(context, thrown);
  }
}

function taken(context: GatewayContext, result: unknown): Promise<void> {
  if (result instanceof Response && !context.finalized) context.res = result;
  return DONE;
}

function last(context: GatewayContext): Promise<void> {
  if (context.isForwarded) return Promise.reject(new Error("next() called multiple times"));
  context.isForwarded = true;
  return forwarded(context);
}

async function forwarded(context: GatewayContext): Promise<void> {
  try {
    const committed = context.request.commit();
    if (committed !== null) await committed;
    context.receive(await context.forward(context.exchange));
  } catch (thrown) {
    await fail(context, thrown);
  }
}

/** An Error becomes `c.error` and its response, at the level that threw; anything else goes on up. */
async function fail(context: GatewayContext, thrown: unknown): Promise<void> {
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
