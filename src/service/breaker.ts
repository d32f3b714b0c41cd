import { GatewayError } from "../errors.ts";
import { BreakerWindow } from "./breaker-window.ts";
import type { BreakerOptions } from "./options.ts";

/** `half_open`: a few requests are let through, to see whether the service works again. */
export type BreakerState = "closed" | "open" | "half_open";

/** So many probes must succeed before the service is trusted again, and no more are under way at once. */
export const PROBE_LIMIT = 3;

export interface BreakerDeps {
  /** Milliseconds of any steady clock. */
  readonly nowMs: () => number;
  /** Hears of each change, in the same turn. */
  readonly onChange: (state: BreakerState) => void;
}

/** Outcomes of attempts within a breaker's window. */
export interface WindowCounts {
  readonly total: number;
  readonly failures: number;
  readonly slow: number;
}

/** What a breaker shows of itself. Instants are of its clock. */
export interface BreakerReport {
  readonly state: BreakerState;
  /** 0 unless it is open. */
  readonly openUntil: number;
  readonly inFlight: number;
  readonly window: WindowCounts;
  /** Times that it opened. */
  readonly opens: number;
  /** What it opened for the last time; null: it never did, or a probe failed. */
  readonly openedFor: WindowCounts | null;
}

/** Keeps requests from a service that has too many already, or that fails. */
export class Breaker {
  /** Becomes `half_open` with the first request after its time, not before. */
  state: BreakerState = "closed";
  /** Requests that were let in and have not left. */
  inFlight = 0;
  readonly #options: BreakerOptions;
  readonly #deps: BreakerDeps;
  readonly #window: BreakerWindow;
  /** Of the present state: who was let in before has no say in it. */
  #term = 0;
  #openUntil = 0;
  /** Probes that nothing is known of by then make room for others. */
  #probeUntil = 0;
  #probing = 0;
  #passed = 0;
  #opens = 0;
  #openedFor: WindowCounts | null = null;

  constructor(options: BreakerOptions, deps: BreakerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#window = new BreakerWindow(deps.nowMs);
  }

  /** Lets one request in, which must `leave`, or says why it is refused. */
  enter(): Permit | GatewayError {
    const { maxRequests } = this.#options;
    if (this.inFlight >= maxRequests)
      return new GatewayError("overloaded", "The service has as many requests as it may have.", { retryAfter: 1 });
    if (this.state !== "closed") {
      const refusal = this.#refusal();
      if (refusal !== null) return refusal;
      this.#probing++;
    }
    this.inFlight++;
    return new Permit(this, this.#term, this.state === "half_open");
  }

  /** True while an attempt may be made beside another: not while the service is full, or on trial. */
  get hasRoom(): boolean {
    return this.state === "closed" && this.inFlight < this.#options.maxRequests;
  }

  /** Made when somebody asks. */
  report(): BreakerReport {
    this.#window.look();
    const openUntil = this.state === "open" ? this.#openUntil : 0;
    const { inFlight, state } = this;
    return { state, openUntil, inFlight, window: this.#counts(), opens: this.#opens, openedFor: this.#openedFor };
  }

  /** Called by permits. Returns the state that this led to; null: it is what it was. */
  judged(permit: Permit, isFailure: boolean, tookMs: number): BreakerState | null {
    if (permit.term !== this.#term) return null;
    const { slowCallRate, slowCallMs } = this.#options;
    const isSlow = slowCallRate !== null && tookMs >= slowCallMs;
    if (permit.isProbe) this.#probed(permit, isFailure || isSlow);
    else this.#counted(isFailure, isSlow);
    return permit.term === this.#term ? null : this.state;
  }

  /** Called by permits, once each. */
  left(permit: Permit): void {
    this.inFlight -= permit.places;
    if (permit.isProbe && !permit.hasPassed && permit.term === this.#term) this.#probing--;
  }

  /** Why a request is kept out of a service that is not closed; null for one that may try it. */
  #refusal(): GatewayError | null {
    const leftMs = this.#openUntil - this.#deps.nowMs();
    if (this.state === "open" && leftMs <= 0) this.#become("half_open");
    if (this.state === "half_open" && this.#hasProbes()) return null;
    const retryAfter = Math.max(1, Math.ceil(leftMs / 1000));
    return new GatewayError("circuit_open", "The service fails; it is given time to recover.", { retryAfter });
  }

  /** Some requests take as long as their client likes, such as an upload: these must not keep all others out. */
  #hasProbes(): boolean {
    if (this.#probing > 0 && this.#deps.nowMs() >= this.#probeUntil) {
      this.#term++;
      this.#probing = 0;
    }
    if (this.#probing === 0) this.#probeUntil = this.#deps.nowMs() + this.#options.openForMs;
    return this.#probing + this.#passed < PROBE_LIMIT;
  }

  #probed(permit: Permit, isFailure: boolean): void {
    if (isFailure) {
      this.#open();
      return;
    }
    if (permit.hasPassed) return;
    permit.hasPassed = true;
    this.#probing--;
    if (++this.#passed >= PROBE_LIMIT) this.#become("closed");
  }

  #counted(isFailure: boolean, isSlow: boolean): void {
    const { failureRate, minRequests, slowCallRate } = this.#options;
    const window = this.#window;
    window.add(isFailure, isSlow);
    if (window.total < minRequests) return;
    const isTooSlow = slowCallRate !== null && window.slow >= slowCallRate * window.total;
    if (isTooSlow || window.failures >= failureRate * window.total) this.#open();
  }

  #open(): void {
    this.#openUntil = this.#deps.nowMs() + this.#options.openForMs;
    this.#opens++;
    this.#openedFor = this.state === "closed" ? this.#counts() : null;
    this.#become("open");
  }

  #counts(): WindowCounts {
    const { total, failures, slow } = this.#window;
    return { total, failures, slow };
  }

  #become(state: BreakerState): void {
    this.state = state;
    this.#term++;
    this.#probing = 0;
    this.#passed = 0;
    this.#window.clear();
    this.#deps.onChange(state);
  }
}

/** One request that a breaker let in. */
export class Permit {
  readonly term: number;
  readonly isProbe: boolean;
  hasPassed = false;
  /** How many requests it counts as. */
  places = 1;
  readonly #breaker: Breaker;

  constructor(breaker: Breaker, term: number, isProbe: boolean) {
    this.#breaker = breaker;
    this.term = term;
    this.isProbe = isProbe;
  }

  /**
   * Tells the outcome of an attempt. A request has as many as it had attempts, or none when nobody is to blame. Returns
   * the state that the breaker got into by it; null: none.
   */
  judge(isFailure: boolean, tookMs: number): BreakerState | null {
    return this.#breaker.judged(this, isFailure, tookMs);
  }

  get hasRoom(): boolean {
    return this.#breaker.hasRoom;
  }

  /** An attempt beside another counts as one more request, until this one is over. */
  takeMore(): void {
    this.places++;
    this.#breaker.inFlight++;
  }

  /** The request is over. To be called once. */
  leave(): void {
    this.#breaker.left(this);
  }
}
