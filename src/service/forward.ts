import type { GatewayError } from "../errors.ts";
import type { Asker, Attempt, AttemptTimeouts, Receiver, UpstreamResponse } from "../wire/attempt.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import { answerMs } from "./answer-time.ts";
import type { Ticket } from "./concurrency-ticket.ts";
import { isClientsTimeOver } from "./deadline.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ForwardPolicy, ServiceOptions } from "./options.ts";
import type { Trial } from "./trial.ts";

/** Methods of requests that may be sent twice (RFC 9110 9.2.2). */
export const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** An endpoint that fails at once is no fast one: a failure counts as a response that took so long, or longer. */
const FAILURE_MS = 1000;

export interface ForwardContext {
  readonly options: ServiceOptions;
  readonly policy: ForwardPolicy;
  readonly receiver: Receiver;
  /** Null: the exchange itself, as no other attempt is made while this one is. */
  readonly asker: Asker | null;
  readonly endpoint: Endpoint;
  /** Hears how long attempts took; null where that decides nothing. */
  readonly observe: ((endpoint: Endpoint, responseMs: number) => void) | null;
  /** Hears the outcome of each attempt; null where nobody judges it. */
  readonly trial: Trial | null;
  /** Hears the same; null where the service has no limit that it could learn. */
  readonly ticket: Pick<Ticket, "attemptAnswered" | "attemptFailed"> | null;
  /** Hears of every attempt that failed for good. */
  readonly onRefused: (endpoint: string, error: GatewayError) => void;
}

/** One request on its way through a service: the attempts, and what is made of their outcome. */
export class Forward implements Attempt, Receiver {
  readonly exchange: Exchange;
  readonly asker: Asker;
  readonly receiver: Receiver = this;
  timeouts: AttemptTimeouts;
  readonly authority: string;
  readonly #context: ForwardContext;
  #isRepeated = false;
  #startedAt = 0;

  constructor(exchange: Exchange, context: ForwardContext) {
    this.exchange = exchange;
    this.asker = context.asker ?? exchange;
    this.authority = context.endpoint.authority;
    this.#context = context;
    this.timeouts = { responseMs: this.#responseMs(), idleMs: context.options.timeouts.idleMs };
  }

  start(): void {
    const { exchange } = this;
    const { endpoint } = this.#context;
    exchange.endpoint = endpoint.id;
    exchange.attempts++;
    const { observe, ticket, trial } = this.#context;
    if (observe !== null || trial !== null || ticket !== null) this.#startedAt = now();
    endpoint.pool.send(this, this.#isRepeated);
  }

  onResponse(exchange: Exchange, response: UpstreamResponse): void {
    this.#context.trial?.answered(this.#context.endpoint, response.head, this.#startedAt);
    this.#context.ticket?.attemptAnswered(response.head, this.#startedAt);
    if (this.#context.observe !== null) this.#observe(0);
    this.#context.receiver.onResponse(exchange, response);
  }

  onFailure(exchange: Exchange, error: GatewayError): void {
    if (this.#mayRepeat(error)) {
      this.#isRepeated = true;
      this.timeouts = { ...this.timeouts, responseMs: this.#responseMs() };
      this.start();
      return;
    }
    if (this.#context.observe !== null && error.source === "upstream" && !isClientsTimeOver(exchange))
      this.#observe(FAILURE_MS);
    this.#context.trial?.failed(this.#context.endpoint, error, this.#startedAt);
    this.#context.ticket?.attemptFailed(error);
    this.#context.onRefused(this.#context.endpoint.id, error);
    this.#context.receiver.onFailure(exchange, error);
  }

  /**
   * A kept connection may be closed by its endpoint at the very moment it is used. A request that may be sent twice
   * goes once more, on a fresh connection (RFC 9112 9.3.1), and so does one that the endpoint said it did not look at
   * (RFC 9113 8.7); nothing else is repeated unasked.
   */
  #mayRepeat(error: GatewayError): boolean {
    const { exchange } = this;
    const { body } = this.asker;
    const isGone = body !== null && body.canRepeat !== true;
    if (error.code !== "upstream_reset" || this.#isRepeated || isGone || exchange.isDone) return false;
    return error.sent === "nothing" || (error.sent === "reused" && IDEMPOTENT.has(exchange.upstreamMethod));
  }

  /** An answer that came before the request's end tells no time, a failure the least. */
  #observe(leastMs: number): void {
    const { observe, endpoint } = this.#context;
    const tookMs = answerMs(this.exchange, this.#startedAt);
    if (tookMs !== null || leastMs > 0) observe?.(endpoint, Math.max(leastMs, tookMs ?? 0));
  }

  #responseMs(): number {
    const { options, policy } = this.#context;
    const attemptMs = policy.attemptTimeoutMs ?? options.timeouts.responseMs;
    if (policy.timeoutMs === 0) return attemptMs;
    const { exchange } = this;
    const { requestEndedAt } = exchange;
    const passedMs = requestEndedAt > 0 ? now() - requestEndedAt : 0;
    const leftMs = Math.max(1, policy.timeoutMs - passedMs);
    return attemptMs === 0 ? leftMs : Math.min(attemptMs, leftMs);
  }
}
