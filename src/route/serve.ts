import { GatewayError } from "../errors.ts";
import type { Receiver } from "../wire/attempt.ts";
import type { Exchange } from "../wire/exchange.ts";
import { lightResponse } from "../wire/fetch-response.ts";
import { sendResponse } from "../wire/fetch-send.ts";
import type { Chain } from "./chain.ts";

/** Hands a request to a backend; the receiver hears of the response's head or of a failure, once. */
export type ForwardTo = (exchange: Exchange, receiver: Receiver) => void;

/** A response goes to the client as it comes: no plugin wants to see it. */
export const STRAIGHT: Receiver = {
  onResponse(exchange, response) {
    exchange.respond(response.head, response.body);
  },
  onFailure(exchange, error) {
    exchange.refuse(error);
  },
};

/** Answers a request through a chain of plugins whose last link is `forwardTo`. Never throws. */
export function serveThrough(chain: Chain, exchange: Exchange, forwardTo: ForwardTo): void {
  chain
    .run(exchange, (asked) => forwarded(asked, forwardTo))
    .then((response) => sendResponse(exchange, response))
    .catch((cause: unknown) => {
      exchange.refuse(new GatewayError("internal", "The gateway could not handle this request.", { cause }));
    });
}

function forwarded(exchange: Exchange, forwardTo: ForwardTo): Promise<Response> {
  return new Promise((resolve, reject) => {
    forwardTo(exchange, {
      onResponse: (_exchange, response) => resolve(lightResponse(response.head, response.body)),
      onFailure: (_exchange, error) => reject(error),
    });
  });
}
