import type { ErrorCode, GatewayError, Sent } from "../errors.ts";
import type { ResponseHead } from "../wire/exchange.ts";
import type { HeaderList } from "../wire/header-list.ts";
import { errorCondition, headCondition } from "./grpc-status.ts";
import type { RetryCondition } from "./options.ts";

const WORDS: ReadonlyMap<ErrorCode, RetryCondition> = new Map([
  ["upstream_connect", "connect_failure"],
  ["upstream_reset", "reset"],
  ["upstream_timeout", "timeout"],
]);

/** The condition that a response meets, by its status or that of gRPC in its head; null: it is as good as any. */
export function faultOf(head: ResponseHead, on: readonly RetryCondition[]): RetryCondition | null {
  if (on.includes(head.status)) return head.status;
  const condition = headCondition(head);
  return condition !== null && on.includes(condition) ? condition : null;
}

/**
 * The condition that a failed attempt meets; null: none. A status stands for Torii's own errors too, which clients
 * would see as that; `headers` are the request's, which tell whether its client would see a status of gRPC.
 */
export function causeOf(
  error: GatewayError,
  on: readonly RetryCondition[],
  headers: HeaderList,
): RetryCondition | null {
  const { code, source, status } = error;
  // An endpoint that ends a connection for what its clients did is not to blame, but the request is as good as ever.
  const isDisturbed = code === "upstream_reset" && source === "gateway";
  if (source !== "upstream" && !isDisturbed) return null;
  const word = WORDS.get(code);
  if (on.includes(status) || (word !== undefined && on.includes(word))) return word ?? status;
  const condition = errorCondition(code, headers);
  return condition !== null && on.includes(condition) ? condition : null;
}

/** What an attempt had sent when it failed; null for what no attempt failed with, such as a route's time that is over. */
export function sentOf({ code, sent }: GatewayError): Sent | null {
  return code === "upstream_protocol" ? (sent ?? "fresh") : sent;
}
