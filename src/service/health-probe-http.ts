import { GatewayError } from "../errors.ts";
import type { Attempt, AttemptTimeouts, Receiver, UpstreamResponse } from "../wire/attempt.ts";
import type { Pool } from "../wire/endpoint-pool.ts";
import type { Exchange } from "../wire/exchange.ts";
import { Timer, type TimerWheel } from "../wire/timer-wheel.ts";
import { failed, PASSED, TIMED_OUT, type Verdict } from "./health-check.ts";
import { healthExchange } from "./health-exchange.ts";
import { GrpcAnswer } from "./health-grpc.ts";
import type { HealthCheckOptions } from "./health-options.ts";

export interface HttpProbeParts {
  readonly pool: Pool;
  readonly authority: string;
  readonly health: HealthCheckOptions;
  readonly wheel: TimerWheel;
  readonly told: (verdict: Verdict) => void;
}

/** One check by a request: of HTTP the response's status counts, of gRPC what the answer says. */
export class HttpProbe extends Timer implements Attempt, Receiver {
  readonly exchange: Exchange;
  readonly receiver: Receiver = this;
  // The probe's own timer bounds it all.
  readonly timeouts: AttemptTimeouts = { responseMs: 0, idleMs: 0 };
  readonly #parts: HttpProbeParts;
  #isOver = false;

  constructor(parts: HttpProbeParts) {
    super();
    this.#parts = parts;
    this.exchange = healthExchange(parts.authority, parts.health);
  }

  /** Returns what calls it off. */
  start(): () => void {
    this.#parts.wheel.arm(this, this.#parts.health.timeoutMs);
    this.#parts.pool.send(this, true);
    return () => this.#stop();
  }

  override fire(): void {
    this.#end(TIMED_OUT);
  }

  onResponse(_: Exchange, { head, body }: UpstreamResponse): void {
    if (this.#isOver) return;
    const { type, statuses } = this.#parts.health;
    if (type === "grpc") {
      new GrpcAnswer(head, (verdict) => this.#end(verdict)).read(body);
      return;
    }
    const { status } = head;
    const isGood = statuses.some(([from, to]) => status >= from && status <= to);
    this.#end(isGood ? PASSED : { result: "failure", reason: `status ${status}` });
  }

  onFailure(_: Exchange, error: GatewayError): void {
    this.#end(failed(error));
  }

  #end(verdict: Verdict): void {
    if (this.#isOver) return;
    this.#stop();
    this.#parts.told(verdict);
  }

  #stop(): void {
    this.#isOver = true;
    this.#parts.wheel.remove(this);
    // What is left of the response is not read. Later, as a connection may be in the middle of telling of it.
    queueMicrotask(() => this.exchange.gone(new GatewayError("client_closed", "The check is over.")));
  }
}
