import type { GatewayError } from "../errors.ts";
import type { BodySource } from "./body.ts";
import type { Dialer } from "./dial.ts";
import type { Exchange, ResponseHead } from "./exchange.ts";

/**
 * A response whose head has come. Its body came with it whole, as bytes that are valid during the call only, or it is
 * still on the connection, or there is none.
 */
export interface UpstreamResponse {
  readonly head: ResponseHead;
  readonly body: Uint8Array | BodySource | null;
}

/**
 * Hears what becomes of an attempt. Exactly one of the two is called, once. `client_closed` tells that nobody waits
 * for the response any more; it is no fault of the endpoint's.
 */
export interface Receiver {
  onResponse(exchange: Exchange, response: UpstreamResponse): void;
  onFailure(exchange: Exchange, error: GatewayError): void;
}

export interface AttemptTimeouts {
  /** From the request's last byte to the response's head; 0 for none. */
  readonly responseMs: number;
  /** Silence of the endpoint in a body that is under way. */
  readonly idleMs: number;
}

/**
 * Who waits for an attempt: the exchange itself, or, where several attempts may be under way at once, what is each one's
 * own of it.
 */
export interface Asker extends Dialer {
  /** The request's body as this attempt sends it; null for none. Replaced by one that may be sent again, where that is kept. */
  body: BodySource | null;
  /** Takes an interim response (1xx). */
  inform(head: ResponseHead): void;
}

export interface Attempt {
  readonly exchange: Exchange;
  readonly asker: Asker;
  readonly receiver: Receiver;
  readonly timeouts: AttemptTimeouts;
  /** The endpoint's host and port: what it is asked for by a request that names no host of its own. */
  readonly authority: string;
}

/** What of an attempt the head says that goes upstream. */
export type AttemptHead = Pick<Attempt, "exchange" | "timeouts" | "authority">;
