import type { GatewayError } from "../errors.ts";
import { now } from "../wire/event.ts";
import type { Exchange, ExchangeObserver, ResponseHead } from "../wire/exchange.ts";
import { answerMs } from "./answer-time.ts";
import { isClientsTimeOver } from "./deadline.ts";
import type { Endpoint } from "./endpoint.ts";
import { DEADLINE_EXCEEDED, headGrpcStatus, isGrpcFault } from "./grpc-status.ts";
import { type VerdictParts, Verdicts } from "./verdicts.ts";

/**
 * A request that is still coming after so long keeps its endpoint waiting. What gives it up, by a time-out of its own,
 * does what it should.
 */
const SLOW_REQUEST_MS = 5000;

/** What a response's head tells of its endpoint; `nothing` where it may be the client's own doing. */
type Outcome = "success" | "failure" | "nothing";

/**
 * What one request tells about a service and its endpoints. Hears each attempt, and the request's end. A status of 500
 * and more is a failure, and so is one of gRPC that is the server's fault, and an error that is the endpoint's; whoever
 * else failed blames nobody.
 */
export class Trial implements ExchangeObserver {
  readonly #verdicts: Verdicts;
  readonly #exchange: Exchange;
  readonly #observer: ExchangeObserver | null;
  /** Whose response is on its way: it has succeeded only when its last byte has come. */
  #answering: Endpoint | null = null;

  /** From here on the exchange's end is told here, and to who was to be told before. */
  constructor(exchange: Exchange, parts: VerdictParts) {
    this.#verdicts = new Verdicts(parts, exchange);
    this.#exchange = exchange;
    this.#observer = exchange.observer;
    exchange.observer = this;
  }

  /** A response's head came, whether the client gets it or not. `startedAt`: when its attempt began. */
  answered(endpoint: Endpoint, head: ResponseHead, startedAt: number): void {
    const told = outcomeOf(head, this.#exchange);
    const outcome = told === "failure" && this.#isClientSlow(startedAt) ? "nothing" : told;
    this.#answering = outcome === "success" ? endpoint : null;
    if (outcome === "nothing") return;
    this.#verdicts.ofService(outcome === "failure", this.#tookMs(startedAt));
    if (outcome === "failure") this.#verdicts.ofEndpoint(endpoint, true);
  }

  /** An attempt failed. */
  failed(endpoint: Endpoint, error: GatewayError, startedAt: number): void {
    if (error.code === "overloaded") this.#verdicts.foundFull();
    if (error.source !== "upstream") return;
    this.#answering = null;
    if (isClientsTimeOver(this.#exchange)) return;
    if (error.code === "upstream_reset" && this.#isClientSlow(startedAt)) return;
    this.#verdicts.ofService(true, this.#tookMs(startedAt));
    this.#verdicts.ofEndpoint(endpoint, true);
  }

  /** True while an attempt may be made beside another. */
  get hasRoom(): boolean {
    return this.#verdicts.hasRoom;
  }

  /** An attempt is made beside another. */
  takeMore(): void {
    this.#verdicts.takeMore();
  }

  exchangeDone(exchange: Exchange): void {
    this.#verdicts.leave();
    if (this.#answering !== null) this.#verdicts.ofEndpoint(this.#answering, exchange.error?.source === "upstream");
    this.#observer?.exchangeDone(exchange);
  }

  #isClientSlow(startedAt: number): boolean {
    return this.#exchange.requestEndedAt === 0 && now() - startedAt >= SLOW_REQUEST_MS;
  }

  /** Time that the request itself takes to come is the client's, all of it where the response is there first. */
  #tookMs(startedAt: number): number {
    return answerMs(this.#exchange, startedAt) ?? 0;
  }
}

/** An endpoint that was told how long the client waits may say that this is over: no client may make it look bad so. */
function outcomeOf(head: ResponseHead, exchange: Exchange): Outcome {
  const { status } = head;
  const grpc = status >= 500 ? null : headGrpcStatus(head);
  if (status < 500 && (grpc === null || !isGrpcFault(grpc))) return "success";
  const isOver = exchange.expiresAt > 0 && (status === 504 || grpc === DEADLINE_EXCEEDED);
  return isOver || isClientsTimeOver(exchange) ? "nothing" : "failure";
}
