import type { GatewayError, Sent } from "../errors.ts";
import type { UpstreamResponse } from "../wire/attempt.ts";
import type { BodySource } from "../wire/body.ts";
import { now } from "../wire/event.ts";
import type { Exchange, ResponseHead } from "../wire/exchange.ts";
import { RepeatableBody } from "../wire/repeatable-body.ts";
import { answerMs } from "./answer-time.ts";
import { noteZone } from "./choice-note.ts";
import { Contender, type ContenderKind, type ContenderOwner, notNeeded } from "./contender.ts";
import { clientLeftMs } from "./deadline.ts";
import type { Delay } from "./delay.ts";
import type { Endpoint } from "./endpoint.ts";
import { Forward, type ForwardContext, IDEMPOTENT } from "./forward.ts";
import { pushbackOf } from "./grpc-status.ts";
import type { HedgePolicy, RetryCondition, RetryPolicy } from "./options.ts";
import { noEndpoint } from "./refusals.ts";
import type { ResponsePace } from "./response-pace.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { causeOf, faultOf, sentOf } from "./retry-condition.ts";

/** The pause doubles with each retry, up to so many times the first. */
const LONGEST_BACKOFF = 10;

/** The runtime's timers are no finer. */
const LEAST_AFTER_MS = 1;

/** What became of a retry, or why there was none. */
export type RetryResult = "success" | "failure" | "budget_exhausted" | "deadline";

/**
 * What became of a hedge: its response is the client's, another attempt's is, it failed, or nobody waits any more; or
 * why there was none.
 */
export type HedgeResult = "won" | "lost" | "failed" | "abandoned" | "budget_exhausted" | "full" | "no_endpoint";

/** Why a request is not sent again that a condition of its route would be for. */
type Refusal = "attempts_exhausted" | "not_repeatable" | "pushback" | "deadline" | "budget_exhausted";

/** What the retries of one service have in common. */
export interface RetryDeps {
  /** Of which endpoints they are, in words; "" for all of the service. */
  readonly subset: string;
  readonly budget: RetryBudget;
  /** Of first attempts and retries, where a route's hedges depend on it. */
  readonly pace: ResponsePace;
  readonly random: () => number;
  readonly delay: Delay;
  /** An endpoint that is none of those; one of them where there is no other, null where there is none at all. */
  readonly pick: (tried: readonly Endpoint[]) => Endpoint | null;
  readonly onResult: (result: RetryResult) => void;
  readonly onHedge: (result: HedgeResult) => void;
}

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly deps: RetryDeps;
}

/** The attempt that failed, and the route's condition that it met. */
interface Cause {
  readonly condition: RetryCondition;
  readonly endpoint: string;
  /** What the endpoint itself says of when to come again; see `pushbackOf`. */
  readonly pushbackMs: number | null;
}

/**
 * One request on its way through a service, as often as its route's `retry` says and as is safe: again after attempts
 * that failed, and beside those that do not answer. The first good response is the client's, or else the last failure.
 */
export class Retry implements ContenderOwner {
  readonly #exchange: Exchange;
  readonly #context: ForwardContext;
  readonly #policy: RetryPolicy;
  readonly #deps: RetryDeps;
  readonly #body: RepeatableBody | null;
  readonly #tried: Endpoint[] = [];
  /** Attempts that wait for a response's head. */
  readonly #running: Contender[] = [];
  #hedges = 0;
  /** How long the latest attempt is given before a hedge; null: for ever. */
  #paceMs: number | null = null;
  #isOver = false;
  #callOffPause: (() => void) | null = null;
  #callOffHedge: (() => void) | null = null;

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
    this.#exchange.onGone = (reason) => this.#gone(reason);
    this.#try(this.#context.endpoint, "first");
  }

  // ContenderOwner

  answered(contender: Contender, response: UpstreamResponse): void {
    this.#leave(contender);
    const condition = faultOf(response.head, this.#policy.on);
    if (condition === null) this.#notePace(contender, true);
    this.#tell(contender, condition !== null);
    const endpoint = contender.endpoint.id;
    const cause = condition === null ? null : { condition, endpoint, pushbackMs: pushbackOf(response.head) };
    const next = cause === null ? null : this.#afterFault(cause, "fresh");
    if (next === null) {
      this.#accept(contender, response);
      return;
    }
    // First, so that the next attempt finds the connection free.
    if (response.body !== null && !(response.body instanceof Uint8Array)) drop(response.body);
    this.#forget();
    next();
  }

  failed(contender: Contender, error: GatewayError): void {
    if (this.#isOver) return;
    this.#leave(contender);
    if (error.code === "upstream_timeout") this.#notePace(contender, false);
    if (error.source === "upstream" || contender.kind === "hedge") this.#tell(contender, true);
    const condition = causeOf(error, this.#policy.on, this.#exchange.headers);
    const sent = sentOf(error);
    const cause = condition === null ? null : { condition, endpoint: contender.endpoint.id, pushbackMs: null };
    const next = cause === null || sent === null ? null : this.#afterFault(cause, sent);
    if (this.#running.length > 0) this.#forget();
    else if (next !== null) next();
    else {
      this.#exchange.endpoint = contender.endpoint.id;
      this.#fail(error);
    }
  }

  /** Of several attempts nobody knows yet which the client will hear. */
  informed(head: ResponseHead): void {
    if (this.#running.length === 1) this.#exchange.inform(head);
  }

  // Attempts

  #try(endpoint: Endpoint, kind: ContenderKind): void {
    const exchange = this.#exchange;
    const body = kind !== "first" && this.#body?.isWhole === true ? this.#body.fork() : this.#body;
    const contender = new Contender({ exchange, kind, endpoint, body, owner: this });
    if (kind !== "first") noteZone(exchange, endpoint, this.#context.options.zone);
    this.#tried.push(endpoint);
    this.#running.push(contender);
    new Forward(exchange, { ...this.#context, endpoint, receiver: contender, asker: contender }).start();
    this.#armHedge();
  }

  #leave(contender: Contender): void {
    this.#running.splice(this.#running.indexOf(contender), 1);
    if (this.#running.length === 0) this.#stop();
  }

  #stop(): void {
    this.#callOffHedge?.();
    this.#callOffPause?.();
    this.#callOffHedge = null;
    this.#callOffPause = null;
  }

  /** What of an attempt that is not the answer stands in the exchange. */
  #forget(): void {
    this.#exchange.respondedAt = 0;
    this.#exchange.upstreamStatus = 0;
  }

  // The answer

  #accept(winner: Contender, response: UpstreamResponse): void {
    this.#isOver = true;
    this.#stop();
    winner.win();
    for (const loser of this.#running.splice(0)) this.#lose(loser, winner);
    this.#body?.release();
    this.#context.receiver.onResponse(this.#exchange, response);
  }

  #lose(loser: Contender, winner: Contender): void {
    this.#exchange.decided("hedge", "lost", loser.endpoint.id);
    if (loser.kind === "hedge") this.#deps.onHedge("lost");
    this.#notePace(loser, false);
    // It would have taken at least so long. Of who began later nothing is known.
    const waitedMs = answerMs(this.#exchange, loser.startedAt);
    if (waitedMs !== null && loser.startedAt <= winner.startedAt) this.#context.observe?.(loser.endpoint, waitedMs);
    loser.cancel(notNeeded());
  }

  #fail(error: GatewayError): void {
    this.#isOver = true;
    this.#stop();
    this.#exchange.onGone = null;
    this.#body?.release();
    this.#context.receiver.onFailure(this.#exchange, error);
  }

  /** The client left, or the route's time is over. */
  #gone(reason: GatewayError): void {
    this.#isOver = true;
    for (const contender of this.#running.splice(0)) {
      if (contender.kind === "hedge") this.#deps.onHedge("abandoned");
      // A hedge may have had next to no time.
      contender.cancel(contender.kind === "hedge" ? notNeeded() : reason);
    }
    this.#fail(reason);
  }

  #tell({ kind, endpoint }: Contender, isFault: boolean): void {
    const { onResult, onHedge } = this.#deps;
    if (kind === "retry") onResult(isFault ? "failure" : "success");
    if (kind === "hedge") onHedge(isFault ? "failed" : "won");
    if (kind === "hedge" || (isFault && this.#running.length > 0))
      this.#exchange.decided("hedge", isFault ? "failed" : "won", endpoint.id);
  }

  // Retries

  /** What comes after an attempt that failed; null: nothing, it is the answer. */
  #afterFault(cause: Cause, sent: Sent): (() => void) | null {
    if (this.#running.length > 0) return () => {};
    const pauseMs = this.#pauseMs(cause, sent);
    return pauseMs === null ? null : () => this.#pause(pauseMs, cause);
  }

  /** How long to wait before the next attempt; null when none may be made. */
  #pauseMs({ endpoint, pushbackMs }: Cause, sent: Sent): number | null {
    if (this.#exchange.isDone) return null;
    const { backoffMs, leastPauseMs } = this.#policy;
    const longestMs = backoffMs * Math.min(2 ** (this.#tried.length - 1), LONGEST_BACKOFF);
    const pauseMs = pushbackMs ?? leastPauseMs + this.#deps.random() * longestMs;
    const refusal = this.#refusal(sent, pauseMs);
    if (refusal === null) return pauseMs;
    this.#exchange.decided("retry", refusal, endpoint);
    if (refusal === "deadline" || refusal === "budget_exhausted") this.#deps.onResult(refusal);
    return null;
  }

  /** RFC 9110 9.2.2: what the endpoint may have acted on is sent again only where twice is as good as once. */
  #refusal(sent: Sent, pauseMs: number): Refusal | null {
    const { attempts, budgetShare } = this.#policy;
    if (this.#tried.length > attempts) return "attempts_exhausted";
    if (this.#body?.canRepeat === false || !(sent === "nothing" || this.#isIdempotent)) return "not_repeatable";
    if (pauseMs === Number.POSITIVE_INFINITY) return "pushback";
    if (pauseMs >= this.#leftMs()) return "deadline";
    return this.#deps.budget.take(budgetShare) ? null : "budget_exhausted";
  }

  get #isIdempotent(): boolean {
    return this.#policy.nonIdempotent || IDEMPOTENT.has(this.#exchange.upstreamMethod);
  }

  #leftMs(): number {
    const { timeoutMs } = this.#context.policy;
    const { requestEndedAt } = this.#exchange;
    const clientMs = clientLeftMs(this.#exchange);
    if (timeoutMs === 0) return clientMs;
    return Math.min(clientMs, requestEndedAt === 0 ? timeoutMs : timeoutMs - (now() - requestEndedAt));
  }

  #pause(ms: number, cause: Cause): void {
    if (ms <= 0) {
      this.#next(cause);
      return;
    }
    this.#callOffPause = this.#deps.delay(ms, () => {
      this.#callOffPause = null;
      this.#next(cause);
    });
  }

  #next({ condition, endpoint: failed }: Cause): void {
    const endpoint = this.#deps.pick(this.#tried);
    if (endpoint === null) {
      this.#fail(noEndpoint(this.#deps.subset));
      return;
    }
    this.#exchange.decided("retry", String(condition), failed);
    this.#try(endpoint, "retry");
  }

  // Hedges

  /** Where hedges go by the service's pace. They are given up early themselves, and say nothing. */
  #notePace(contender: Contender, isAnswer: boolean): void {
    if (this.#policy.hedge?.afterMs !== null || contender.kind === "hedge") return;
    const waitedMs = answerMs(this.#exchange, contender.startedAt);
    if (waitedMs === null) return;
    if (isAnswer) this.#deps.pace.add(waitedMs);
    else if (this.#paceMs !== null) this.#deps.pace.add(this.#paceMs);
  }

  /** Gives the latest attempt its time, which begins when the request is whole. */
  #armHedge(): void {
    const { hedge } = this.#policy;
    if (hedge === null || this.#callOffHedge !== null || !this.#canHedge(hedge)) return;
    const body = this.#body;
    if (body !== null && !body.isWhole) {
      body.onWhole = () => this.#armHedge();
      // An endpoint that cannot be connected to takes nothing.
      body.prefetch();
      return;
    }
    const afterMs = hedge.afterMs ?? this.#deps.pace.at(hedge.share);
    this.#paceMs = afterMs;
    if (afterMs === null) return;
    this.#callOffHedge = this.#deps.delay(Math.max(LEAST_AFTER_MS, afterMs), () => {
      this.#callOffHedge = null;
      if (this.#canHedge(hedge)) this.#hedge();
    });
  }

  /** Whether one more attempt may stand beside those under way. A connection that is upgraded is nobody's to give up. */
  #canHedge({ max }: HedgePolicy): boolean {
    const { isDone, upgrade } = this.#exchange;
    if (this.#isOver || isDone || upgrade !== null || this.#running.length === 0) return false;
    return this.#hedges < max && this.#tried.length <= this.#policy.attempts && this.#isIdempotent;
  }

  #hedge(): void {
    const { trial } = this.#context;
    // A service that is at its bounds, or on trial, is not given more.
    const isFull = trial !== null && !trial.hasRoom;
    const endpoint = isFull ? null : this.#deps.pick(this.#tried);
    if (isFull) this.#noHedge("full");
    else if (endpoint === null || this.#tried.some(({ pool }) => pool === endpoint.pool)) this.#noHedge("no_endpoint");
    else if (!this.#deps.budget.take(this.#policy.budgetShare)) this.#noHedge("budget_exhausted");
    else {
      this.#hedges++;
      trial?.takeMore();
      this.#exchange.decided("hedge", "sent", endpoint.id);
      this.#try(endpoint, "hedge");
    }
  }

  #noHedge(result: "full" | "no_endpoint" | "budget_exhausted"): void {
    this.#exchange.decided("hedge", result);
    this.#deps.onHedge(result);
  }
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
