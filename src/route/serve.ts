import type { Receiver } from "../wire/attempt.ts";

/** A response goes to the client as it comes: no plugin wants to see it. */
export const STRAIGHT: Receiver = {
  onResponse(exchange, response) {
    exchange.respond(response.head, response.body);
  },
  onFailure(exchange, error) {
    exchange.refuse(error);
  },
};
