import type { Permit } from "./breaker.ts";
import type { Endpoint } from "./endpoint.ts";
import type { OutlierDetector } from "./outlier-detector.ts";

/** Where it is noted what policies did: a request, or a connection that is passed on as it is. */
export interface Decided {
  decided(policy: string, outcome: string, about?: string | null): void;
}

export interface VerdictParts {
  readonly service: string;
  /** Null where no breaker is. */
  readonly permit: Permit | null;
  /** Null where endpoints are not judged. */
  readonly outliers: OutlierDetector | null;
}

/** Tells a service's guards how attempts went, and notes on the request what they made of it. */
export class Verdicts {
  readonly #parts: VerdictParts;
  readonly #notes: Decided;

  constructor(parts: VerdictParts, notes: Decided) {
    this.#parts = parts;
    this.#notes = notes;
    if (parts.permit?.isProbe) notes.decided("circuit_breaker", "probe", parts.service);
  }

  /** How an attempt went is the service's outcome, for the breaker. */
  ofService(isFailure: boolean, tookMs: number): void {
    const { permit, service } = this.#parts;
    const state = permit === null ? null : permit.judge(isFailure, tookMs);
    if (state !== null) this.#notes.decided("circuit_breaker", state === "open" ? "opened" : state, service);
  }

  /** And the endpoint's, for outlier detection. */
  ofEndpoint(endpoint: Endpoint, isFailure: boolean): void {
    const isEjected = this.#parts.outliers?.judge(endpoint, isFailure) ?? false;
    if (isEjected) this.#notes.decided("outlier_detection", "ejected", endpoint.id);
  }

  /** Too many waited for a connection already. */
  foundFull(): void {
    this.#notes.decided("circuit_breaker", "pending_full", this.#parts.service);
  }

  /** True while an attempt may be made beside another. */
  get hasRoom(): boolean {
    return this.#parts.permit?.hasRoom ?? true;
  }

  /** An attempt is made beside another. */
  takeMore(): void {
    this.#parts.permit?.takeMore();
  }

  /** The request is over. To be called once. */
  leave(): void {
    this.#parts.permit?.leave();
  }
}
