import { GatewayError } from "../errors.ts";
import type { Receiver, UpstreamResponse } from "../wire/attempt.ts";
import { now } from "../wire/event.ts";
import type { Exchange, ExchangeObserver, ResponseHead } from "../wire/exchange.ts";
import { answerMs } from "./answer-time.ts";
import type { Waiter } from "./concurrency-waiter.ts";
import { clientLeftMs, isClientsTimeOver } from "./deadline.ts";
import { headGrpcStatus } from "./grpc-status.ts";
import type { ForwardPolicy } from "./options.ts";

/** Goes on with a request that was let in; the ticket hears of its response. */
export type Start = (exchange: Exchange, policy: ForwardPolicy, ticket: Ticket) => void;

/** Whoever let the request in. */
export interface TicketOwner {
  /** One of its attempts was answered. */
  answered(tookMs: number): void;
  /** One of its attempts ran out of time, or there was too much to do for it. */
  dropped(): void;
  /** Others may be let in, if there is room by what was learnt. */
  serve(): void;
  /** The request has left, once. */
  left(): void;
  /** The request waits no longer, of its own. */
  gaveUp(waiter: Waiter<Ticket>): void;
}

export interface TicketParts {
  readonly owner: TicketOwner;
  readonly policy: ForwardPolicy;
  readonly receiver: Receiver;
  readonly start: Start;
}

/** gRPC's RESOURCE_EXHAUSTED and UNAVAILABLE. */
const GRPC_TOO_MUCH: ReadonlySet<number> = new Set([8, 14]);

/** One request under a limit, from the moment that it asks: all its attempts count as one. */
export class Ticket implements Receiver, ExchangeObserver {
  readonly exchange: Exchange;
  readonly #parts: TicketParts;
  readonly #observer: ExchangeObserver | null;
  #waiter: Waiter<Ticket> | null = null;
  #isIn = false;

  /** From here on the exchange's end is told here, and to who was to be told before. */
  constructor(exchange: Exchange, parts: TicketParts) {
    this.exchange = exchange;
    this.#parts = parts;
    this.#observer = exchange.observer;
    exchange.observer = this;
  }

  letIn(): void {
    this.#waitNoMore();
    this.#isIn = true;
    this.#parts.start(this.exchange, this.#parts.policy, this);
  }

  wait(waiter: Waiter<Ticket>): void {
    this.#waiter = waiter;
    this.exchange.onGone = (reason) => this.#giveUp(reason);
  }

  /** The request is not served. */
  refuse(error: GatewayError): void {
    this.#waitNoMore();
    this.#parts.receiver.onFailure(this.exchange, error);
  }

  /** How long it may wait, by the route's timeout and by its client's; infinity where neither is. */
  leftMs(): number {
    const { timeoutMs } = this.#parts.policy;
    const { requestEndedAt } = this.exchange;
    const clientMs = clientLeftMs(this.exchange);
    if (timeoutMs === 0) return clientMs;
    return Math.min(clientMs, requestEndedAt === 0 ? timeoutMs : timeoutMs - (now() - requestEndedAt));
  }

  /** An attempt's response head came. */
  attemptAnswered(head: ResponseHead, startedAt: number): void {
    const { status } = head;
    const { exchange } = this;
    const { owner } = this.#parts;
    const grpc = headGrpcStatus(head);
    // A 504 may only tell that the client's own time is over.
    const isTooMuch = status === 503 || status === 429 || (status === 504 && exchange.expiresAt === 0);
    if (isTooMuch || (grpc !== null && GRPC_TOO_MUCH.has(grpc))) this.#dropped();
    else if (status < 500) {
      const tookMs = answerMs(exchange, startedAt);
      if (tookMs !== null) owner.answered(tookMs);
    }
  }

  /** An attempt failed. Only what ran out of time tells of too much to do. */
  attemptFailed({ code, source }: GatewayError): void {
    if (code === "upstream_timeout" && source === "upstream") this.#dropped();
  }

  onResponse(exchange: Exchange, response: UpstreamResponse): void {
    const { owner, receiver } = this.#parts;
    const hasOpenEnd = isOpenEnd(response.head);
    receiver.onResponse(exchange, response);
    // Others begin only now, as parts of the response are good for no longer than this call. What stays open for as
    // long as the client likes is no work to count.
    if (hasOpenEnd) this.#leave();
    else owner.serve();
  }

  onFailure(exchange: Exchange, error: GatewayError): void {
    this.#parts.receiver.onFailure(exchange, error);
  }

  exchangeDone(exchange: Exchange): void {
    if (this.#waiter !== null) {
      this.#giveUp(exchange.error ?? new GatewayError("client_closed", "The client left while its request waited."));
    }
    this.#observer?.exchangeDone(exchange);
    this.#leave();
  }

  /** What an endpoint says once its client's time is over tells nothing of it: no client may shrink a limit so. */
  #dropped(): void {
    if (!isClientsTimeOver(this.exchange)) this.#parts.owner.dropped();
  }

  #giveUp(reason: GatewayError): void {
    const waiter = this.#waiter;
    if (waiter === null) return;
    this.#parts.owner.gaveUp(waiter);
    this.exchange.decided("concurrency", "gave_up");
    this.refuse(reason);
  }

  #waitNoMore(): void {
    if (this.#waiter === null) return;
    this.#waiter = null;
    this.exchange.onGone = null;
  }

  #leave(): void {
    if (!this.#isIn) return;
    this.#isIn = false;
    this.#parts.owner.left();
  }
}

/** A tunnel, or a stream of events. */
function isOpenEnd({ status, headers }: ResponseHead): boolean {
  return status === 101 || headers.first("content-type")?.startsWith("text/event-stream") === true;
}
