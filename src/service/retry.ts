import type { ErrorCode, GatewayError, Sent } from "../errors.ts";
import type { Receiver, UpstreamResponse } from "../wire/attempt.ts";
import type { BodySource } from "../wire/body.ts";
import { now } from "../wire/event.ts";
import type { Exchange } from "../wire/exchange.ts";
import { RepeatableBody } from "../wire/repeatable-body.ts";
import { clientLeftMs } from "./deadline.ts";
import type { Delay } from "./delay.ts";
import type { Endpoint } from "./endpoint.ts";
import { Forward, type ForwardContext, IDEMPOTENT } from "./forward.ts";
import type { RetryCondition, RetryPolicy } from "./options.ts";
import { noEndpoint } from "./refusals.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** The pause doubles with each retry, up to so many times the first. */
const LONGEST_BACKOFF = 10;

const WORDS: ReadonlyMap<ErrorCode, RetryCondition> = new Map([
  ["upstream_connect", "connect_failure"],
  ["upstream_reset", "reset"],
  ["upstream_timeout", "timeout"],
]);

/** What became of a retry, or why there was none. */
export type RetryResult = "success" | "failure" | "budget_exhausted" | "deadline";

/** What the retries of one service have in common. */
export interface RetryDeps {
  readonly budget: RetryBudget;
  readonly random: () => number;
  readonly delay: Delay;
  /** An endpoint that is none of those; one of them where there is no other, null where there is none at all. */
  readonly pick: (tried: readonly Endpoint[]) => Endpoint | null;
  readonly onResult: (result: RetryResult) => void;
}

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly deps: RetryDeps;
}

/** One request on its way through a service, as often as its route's `retry` says and as is safe. */
export class Retry implements Receiver {
  readonly #exchange: Exchange;
  readonly #context: ForwardContext;
  readonly #policy: RetryPolicy;
  readonly #deps: RetryDeps;
  readonly #body: RepeatableBody | null;
  readonly #tried: Endpoint[] = [];

  /** The context's endpoint takes the first attempt, and its receiver hears of the last one's outcome. */
  constructor(exchange: Exchange, context: ForwardContext, { policy, deps }: RetryOptions) {
    this.#exchange = exchange;
    this.#context = context;
    this.#policy = policy;
    this.#deps = deps;
    this.#body = exchange.body === null ? null : new RepeatableBody(exchange.body, true);
    exchange.body = this.#body;
  }

  start(): void {
    this.#deps.budget.count();
    this.#try(this.#context.endpoint);
  }

  onResponse(exchange: Exchange, response: UpstreamResponse): void {
    const isFault = this.#policy.on.includes(response.head.status);
    if (this.#tried.length > 1) this.#deps.onResult(isFault ? "failure" : "success");
    const pauseMs = isFault && this.#isSafe("fresh") ? this.#pauseMs() : null;
    if (pauseMs === null) {
      this.#body?.release();
      this.#context.receiver.onResponse(exchange, response);
      return;
    }
    if (response.body !== null && !(response.body instanceof Uint8Array)) drop(response.body);
    exchange.respondedAt = 0;
    exchange.upstreamStatus = 0;
    this.#pause(pauseMs);
  }

  onFailure(_: Exchange, error: GatewayError): void {
    if (this.#tried.length > 1 && error.source === "upstream") this.#deps.onResult("failure");
    const sent = sentOf(error);
    const isRetried = sent !== null && isNamed(error, this.#policy.on) && this.#isSafe(sent);
    const pauseMs = isRetried ? this.#pauseMs() : null;
    if (pauseMs === null) this.#fail(error);
    else this.#pause(pauseMs);
  }

  #try(endpoint: Endpoint): void {
    this.#tried.push(endpoint);
    new Forward(this.#exchange, { ...this.#context, endpoint, receiver: this }).start();
  }

  #fail(error: GatewayError): void {
    this.#body?.release();
    this.#context.receiver.onFailure(this.#exchange, error);
  }

  /** RFC 9110 9.2.2: what the endpoint may have acted on is sent again only where twice is as good as once. */
  #isSafe(sent: Sent): boolean {
    const { isDone, upstreamMethod } = this.#exchange;
    if (isDone || this.#tried.length > this.#policy.attempts || this.#body?.canRepeat === false) return false;
    return sent === "nothing" || this.#policy.nonIdempotent || IDEMPOTENT.has(upstreamMethod);
  }

  /** How long to wait before the next attempt; null when none may be made. */
  #pauseMs(): number | null {
    const { budget, random, onResult } = this.#deps;
    const { backoffMs, budgetShare } = this.#policy;
    const pauseMs = random() * backoffMs * Math.min(2 ** (this.#tried.length - 1), LONGEST_BACKOFF);
    if (pauseMs >= this.#leftMs()) onResult("deadline");
    else if (budget.take(budgetShare)) return pauseMs;
    else onResult("budget_exhausted");
    return null;
  }

  #leftMs(): number {
    const { timeoutMs } = this.#context.policy;
    const { requestEndedAt } = this.#exchange;
    const clientMs = clientLeftMs(this.#exchange);
    if (timeoutMs === 0) return clientMs;
    return Math.min(clientMs, requestEndedAt === 0 ? timeoutMs : timeoutMs - (now() - requestEndedAt));
  }

  #pause(ms: number): void {
    const exchange = this.#exchange;
    if (ms <= 0) {
      this.#next();
      return;
    }
    const callOff = this.#deps.delay(ms, () => {
      exchange.onGone = null;
      this.#next();
    });
    // The client left, or the route's time is over.
    exchange.onGone = (reason) => {
      exchange.onGone = null;
      callOff();
      this.#fail(reason);
    };
  }

  #next(): void {
    const endpoint = this.#deps.pick(this.#tried);
    if (endpoint === null) this.#fail(noEndpoint());
    else this.#try(endpoint);
  }
}

/** What no attempt failed with, such as the route's time that is over, has nothing sent. */
function sentOf({ code, sent }: GatewayError): Sent | null {
  return code === "upstream_protocol" ? (sent ?? "fresh") : sent;
}

/** A status stands for Torii's own errors too, which clients would see as that. */
function isNamed({ code, source, status }: GatewayError, on: readonly RetryCondition[]): boolean {
  if (source !== "upstream") return false;
  const word = WORDS.get(code);
  return on.includes(status) || (word !== undefined && on.includes(word));
}

/** Nobody wants this body. When it is here whole already, its connection can be used again. */
function drop(body: BodySource): void {
  let isOver = false;
  body.pipe({
    write: () => true,
    end() {
      isOver = true;
    },
    fail() {
      isOver = true;
    },
  });
  if (!isOver) body.cancel();
}
