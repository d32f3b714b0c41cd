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
  #startedAt = 0;
  /** Whose response is on its way: it has succeeded only when its last byte has come. */
  #answering: Endpoint | null = null;

  /** From here on the exchange's end is told here, and to who was to be told before. */
  constructor(exchange: Exchange, parts: TrialParts) {
    this.#parts = parts;
    this.#exchange = exchange;
    this.#observer = exchange.observer;
    exchange.observer = this;
  }

  /** An attempt begins. */
  began(): void {
    this.#startedAt = now();
    this.#answering = null;
  }

  /** A response's head came, whether the client gets it or another attempt is made. */
  answered(endpoint: Endpoint, status: number): void {
    const isFailure = status >= 500;
    this.#parts.permit?.judge(isFailure, this.#tookMs());
    if (isFailure) this.#parts.outliers?.judge(endpoint, true);
    else this.#answering = endpoint;
  }

  /** An attempt failed. */
  failed(endpoint: Endpoint, error: GatewayError): void {
    if (error.source !== "upstream") return;
    this.#parts.permit?.judge(true, this.#tookMs());
    this.#parts.outliers?.judge(endpoint, true);
  }

  exchangeDone(exchange: Exchange): void {
    const { permit, outliers } = this.#parts;
    permit?.leave();
    if (this.#answering !== null) outliers?.judge(this.#answering, exchange.error?.source === "upstream");
    this.#observer?.exchangeDone(exchange);
  }

  /** Time that the request itself took to come is the client's. */
  #tookMs(): number {
    return now() - Math.max(this.#startedAt, this.#exchange.requestEndedAt);
  }
}
