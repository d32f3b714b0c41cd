import type { GatewayError } from "../errors.ts";
import type { Attempt, AttemptTimeouts, Receiver, UpstreamResponse } from "../wire/attempt.ts";
import type { Pool } from "../wire/endpoint-pool.ts";
import type { Exchange } from "../wire/exchange.ts";
import { failed, PASSED } from "./health-check.ts";
import { healthExchange } from "./health-exchange.ts";
import { GrpcAnswer } from "./health-grpc.ts";
import type { HealthCheckOptions } from "./health-options.ts";
import { TimedProbe, type TimedProbeParts } from "./health-probe-timed.ts";

export interface HttpProbeParts extends TimedProbeParts {
  readonly pool: Pool;
  readonly authority: string;
  readonly health: HealthCheckOptions;
}

/** One check by a request: of HTTP the response's status counts, of gRPC what the answer says. */
export class HttpProbe extends TimedProbe implements Attempt, Receiver {
  readonly exchange: Exchange;
  readonly asker: Exchange;
  readonly receiver: Receiver = this;
  // The probe's own timer bounds it all.
  readonly timeouts: AttemptTimeouts = { responseMs: 0, idleMs: 0 };
  readonly authority: string;
  readonly #pool: Pool;
  readonly #health: HealthCheckOptions;

  constructor(parts: HttpProbeParts) {
    super(parts);
    this.#pool = parts.pool;
    this.#health = parts.health;
    this.authority = parts.authority;
    this.exchange = healthExchange(parts.authority, parts.health);
    this.asker = this.exchange;
  }

  protected override ask(): void {
    this.#pool.send(this, true);
  }

  onResponse(_: Exchange, { head, body }: UpstreamResponse): void {
    if (this.isOver) return;
    const { type, statuses } = this.#health;
    if (type === "grpc") {
      new GrpcAnswer(head, (verdict) => this.conclude(verdict)).read(body);
      return;
    }
    const { status } = head;
    const isGood = statuses.some(([from, to]) => status >= from && status <= to);
    this.conclude(isGood ? PASSED : { result: "failure", reason: `status ${status}` });
  }

  onFailure(_: Exchange, error: GatewayError): void {
    this.conclude(failed(error));
  }

  protected override letGo(reason: GatewayError): void {
    // What is left of the response is not read. Later, as a connection may be in the middle of telling of it.
    queueMicrotask(() => this.exchange.gone(reason));
  }
}
