import { GatewayError } from "../errors.ts";
import type { Asker, Receiver, UpstreamResponse } from "../wire/attempt.ts";
import type { BodySource } from "../wire/body.ts";
import { now } from "../wire/event.ts";
import type { Exchange, ResponseHead } from "../wire/exchange.ts";
import type { Endpoint } from "./endpoint.ts";

/** Why an attempt was made: as the request's first, after one that failed, or beside one that does not answer. */
export type ContenderKind = "first" | "retry" | "hedge";

/** Hears what becomes of contenders. */
export interface ContenderOwner {
  /** A response's head came. */
  answered(contender: Contender, response: UpstreamResponse): void;
  failed(contender: Contender, error: GatewayError): void;
  /** An interim response came. */
  informed(head: ResponseHead): void;
}

export interface ContenderParts {
  readonly exchange: Exchange;
  readonly kind: ContenderKind;
  readonly endpoint: Endpoint;
  /** The request's body, this attempt's own. */
  readonly body: BodySource | null;
  readonly owner: ContenderOwner;
}

/** One of the attempts that an exchange may have at once. The exchange is that one's whose response the client gets. */
export class Contender implements Asker, Receiver {
  readonly kind: ContenderKind;
  readonly endpoint: Endpoint;
  readonly startedAt = now();
  body: BodySource | null;
  readonly #exchange: Exchange;
  readonly #owner: ContenderOwner;
  #hasWon = false;
  #onGone: ((reason: GatewayError) => void) | null = null;

  constructor({ exchange, kind, endpoint, body, owner }: ContenderParts) {
    this.kind = kind;
    this.endpoint = endpoint;
    this.body = body;
    this.#exchange = exchange;
    this.#owner = owner;
  }

  set onGone(listener: ((reason: GatewayError) => void) | null) {
    if (this.#hasWon) this.#exchange.onGone = listener;
    else this.#onGone = listener;
  }

  inform(head: ResponseHead): void {
    this.#owner.informed(head);
  }

  onResponse(_: Exchange, response: UpstreamResponse): void {
    this.#owner.answered(this, response);
  }

  onFailure(_: Exchange, error: GatewayError): void {
    this.#owner.failed(this, error);
  }

  /** From here on the client's leaving is told to who holds this attempt's connection. */
  win(): void {
    this.#hasWon = true;
    this.#exchange.onGone = this.#onGone;
    this.#exchange.endpoint = this.endpoint.id;
    this.#onGone = null;
  }

  /** Nobody waits for this attempt any more; it fails with the reason. */
  cancel(reason: GatewayError): void {
    this.#onGone?.(reason);
  }
}

/** What an attempt that nobody needs any more fails with: its endpoint is not to blame. */
export function notNeeded(): GatewayError {
  return new GatewayError("client_closed", "Nobody waits for this attempt any more.");
}
