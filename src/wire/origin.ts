import { GatewayError } from "../errors.ts";
import { now } from "./event.ts";
import { type ClientInfo, Exchange, type Responder } from "./exchange.ts";
import { readClient } from "./forwarding.ts";
import type { ListenerContext } from "./listener-context.ts";
import type { ParsedRequest } from "./parse-request.ts";
import type { ReceivedBody } from "./received-body.ts";

const ID_LIMIT = 128;

/** What a request's connection adds to its head. */
export interface Origin {
  readonly context: Pick<ListenerContext<never>, "name" | "scheme" | "newId" | "isTrusted" | "limits">;
  readonly client: ClientInfo;
  readonly responder: Responder;
  readonly body: ReceivedBody | null;
}

/**
 * The exchange of a parsed request; it has an error already when its body is announced too large. What trusted proxies say of the client and of the request's id is believed.
 */
export function makeExchange(head: ParsedRequest, { context, client, responder, body }: Origin): Exchange {
  const given = client.isTrusted ? head.headers.first("x-request-id") : null;
  const exchange = new Exchange(head, {
    id: given !== null && given !== "" && given.length <= ID_LIMIT ? given : context.newId(),
    startedAt: now(),
    scheme: context.scheme,
    listener: context.name,
    client: client.isTrusted ? readClient(head.headers, client, context.isTrusted) : client,
    body,
    upgrade: head.upgrade,
    expectsContinue: head.expectsContinue && body !== null,
    responder,
  });
  const { bodyBytes } = context.limits;
  if (bodyBytes !== null && head.contentLength > bodyBytes) {
    exchange.error = new GatewayError("payload_too_large", `The body is over ${bodyBytes} bytes.`);
  }
  return exchange;
}
