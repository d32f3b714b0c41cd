import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";

/**
 * How long an attempt that began then (`performance.now()`) has taken, in milliseconds. The time that the request
 * itself takes to come is the client's: null while it has not come whole, as no time is the endpoint's alone.
 */
export function answerMs({ requestEndedAt }: Exchange, startedAt: number): number | null {
  return requestEndedAt === 0 ? null : now() - Math.max(startedAt, requestEndedAt);
}
