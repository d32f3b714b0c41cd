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
  /** Hears of one that was refused because too many waited for a connection. */
  readonly onFull: () => void;
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
    const { onFull, permit, service } = this.#parts;
    // An endpoint has a bound of its own on those that wait.
    if (permit === null) return;
    this.#notes.decided("circuit_breaker", "pending_full", service);
    onFull();
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
