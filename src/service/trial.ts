import type { GatewayError } from "../errors.ts";
import { now } from "../wire/event.ts";
import type { Exchange, ExchangeObserver } from "../wire/exchange.ts";
import type { Permit } from "./breaker.ts";
import type { Endpoint } from "./endpoint.ts";
import type { OutlierDetector } from "./outlier-detector.ts";

export interface TrialParts {
  /** Null where no breaker is. */
  readonly permit: Permit | null;
  /** Null where endpoints are not judged. */
  readonly outliers: OutlierDetector | null;
}

/**
 * What one request tells about a service and its endpoints. Hears each attempt, and the request's end. A status of 500
 * and more is a failure, and so is an error that is the endpoint's; whoever else failed blames nobody.
 */
export class Trial implements ExchangeObserver {
  readonly #parts: TrialParts;
  readonly #exchange: Exchange;
  readonly #observer: ExchangeObserver | null;
  /** Whose response is on its way: it has succeeded only when its last byte has come. */
  #answering: Endpoint | null = null;

  /** From here on the exchange's end is told here, and to who was to be told before. */
  constructor(exchange: Exchange, parts: TrialParts) {
    this.#parts = parts;
    this.#exchange = exchange;
    this.#observer = exchange.observer;
    exchange.observer = this;
  }

  /** A response's head came, whether the client gets it or not. `startedAt`: when its attempt began. */
  answered(endpoint: Endpoint, status: number, startedAt: number): void {
    const isFailure = status >= 500;
    this.#parts.permit?.judge(isFailure, this.#tookMs(startedAt));
    if (isFailure) this.#parts.outliers?.judge(endpoint, true);
    this.#answering = isFailure ? null : endpoint;
  }

  /** An attempt failed. */
  failed(endpoint: Endpoint, error: GatewayError, startedAt: number): void {
    if (error.source !== "upstream") return;
    this.#answering = null;
    this.#parts.permit?.judge(true, this.#tookMs(startedAt));
    this.#parts.outliers?.judge(endpoint, true);
  }

  exchangeDone(exchange: Exchange): void {
    const { permit, outliers } = this.#parts;
    permit?.leave();
    if (this.#answering !== null) outliers?.judge(this.#answering, exchange.error?.source === "upstream");
    this.#observer?.exchangeDone(exchange);
  }

  /** Time that the request itself took to come is the client's. */
  #tookMs(startedAt: number): number {
    return now() - Math.max(startedAt, this.#exchange.requestEndedAt);
  }
}
