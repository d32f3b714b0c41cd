import { GatewayError } from "../errors.ts";
import type { Receiver } from "../wire/attempt.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import { noteChoice } from "./choice-note.ts";
import type { Concurrency } from "./concurrency.ts";
import { Ticket } from "./concurrency-ticket.ts";
import { Forward, type ForwardContext } from "./forward.ts";
import type { Guards } from "./guards.ts";
import { exchangeKey } from "./hash-key.ts";
import type { ForwardPolicy } from "./options.ts";
import { noEndpoint } from "./refusals.ts";
import { Retry, type RetryDeps } from "./retry.ts";
import type { Subset } from "./subset.ts";

/** Sends an exchange's request to an endpoint; the receiver hears of the response's head or of a failure. */
export type Send = (exchange: Exchange, policy: ForwardPolicy, receiver: Receiver) => void;

export interface SendingParts extends Pick<ForwardContext, "options" | "onRefused"> {
  readonly service: string;
  readonly subset: Pick<Subset, "name" | "balancer">;
  readonly guards: Guards | null;
  readonly concurrency: Concurrency | null;
  readonly retries: RetryDeps;
}

/** How a service forwards: when it is the request's turn, past its guards, to the balancer's choice, as often as the route says. */
export function createSending(parts: SendingParts): Send {
  const { concurrency, service } = parts;
  const start = createStart(parts);
  if (concurrency === null) return start;
  return (exchange, policy, receiver) => {
    exchange.service = service;
    // Of an exchange that is over nobody would tell the end.
    if (exchange.isDone) start(exchange, policy, receiver);
    else concurrency.enter(exchange, { policy, receiver, start });
  };
}

function createStart(parts: SendingParts): Send {
  const { service, options, subset, guards, retries, onRefused } = parts;
  const { balancer } = subset;
  const keyOf = options.hashBy === null ? null : exchangeKey(options.hashBy);
  return (exchange, policy, receiver) => {
    exchange.service = service;
    // Of an exchange that is over nobody would tell the end.
    const trial = guards === null || exchange.isDone ? null : guards.enter(exchange);
    if (trial instanceof GatewayError) {
      receiver.onFailure(exchange, trial);
      return;
    }
    const endpoint = keyOf === null ? balancer.pick() : balancer.pick(keyOf(exchange));
    if (endpoint === null) {
      receiver.onFailure(exchange, noEndpoint(subset.name));
      return;
    }
    noteChoice(exchange, endpoint, parts);
    exchange.forwardedAt = now();
    const ticket = parts.concurrency !== null && receiver instanceof Ticket ? receiver : null;
    const { observe } = balancer;
    const context = { options, policy, receiver, asker: null, endpoint, observe, trial, ticket, onRefused };
    if (policy.retry === null) new Forward(exchange, context).start();
    else new Retry(exchange, context, { policy: policy.retry, deps: retries }).start();
  };
}
