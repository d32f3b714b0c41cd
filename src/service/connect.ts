import { GatewayError } from "../errors.ts";
import { Dial } from "../wire/dial.ts";
import type { Passage } from "../wire/l4/passage.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { Balancer } from "./balancer.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ServiceOptions } from "./options.ts";

/** Endpoints that are tried for one passage. */
const ATTEMPT_LIMIT = 3;

export interface ConnectContext {
  readonly options: ServiceOptions;
  readonly balancer: Balancer<Endpoint>;
  /** The present set. */
  readonly endpoints: () => readonly Endpoint[];
  readonly wheel: TimerWheel;
}

/** The search for an endpoint that takes one passage. Nothing is sent before a connection is there, so others are safe to try. */
export class Connect {
  readonly #passage: Passage;
  readonly #context: ConnectContext;
  readonly #tried: Endpoint[] = [];
  #error: GatewayError | null = null;

  constructor(passage: Passage, context: ConnectContext) {
    this.#passage = passage;
    this.#context = context;
  }

  /** Joins the passage with an endpoint in the end, or refuses it. */
  next(): void {
    const endpoint = this.#tried.length < ATTEMPT_LIMIT ? this.#pick() : null;
    if (endpoint === null) {
      this.#passage.refuse(this.#error ?? this.#noEndpoint());
      return;
    }
    this.#tried.push(endpoint);
    if (endpoint.passages.admitsDial()) this.#dial(endpoint);
    else this.#failed(new GatewayError("upstream_connect", "The upstream accepts no connections."));
  }

  /** The balancer's choice; another that was not tried where it chooses one again, or one that is full. */
  #pick(): Endpoint | null {
    const picked = this.#context.balancer.pick();
    if (picked !== null && this.#isFree(picked)) return picked;
    return this.#context.endpoints().find((endpoint) => endpoint.weight > 0 && this.#isFree(endpoint)) ?? null;
  }

  #isFree(endpoint: Endpoint): boolean {
    return !endpoint.passages.isFull && !this.#tried.some(({ pool }) => pool === endpoint.pool);
  }

  #noEndpoint(): GatewayError {
    const isFull = this.#context.endpoints().some(({ weight }) => weight > 0);
    return isFull
      ? new GatewayError("overloaded", "Every endpoint has all the connections that it may have.")
      : new GatewayError("no_endpoint", "The service has no endpoint.");
  }

  #dial(endpoint: Endpoint): void {
    const { options, wheel } = this.#context;
    const { hostname, port, passages, pool } = endpoint;
    const { connectMs, idleMs } = options.timeouts;
    this.#passage.endpoint = endpoint.id;
    this.#passage.attempts++;
    passages.open++;
    pool.inFlight++;
    const onClosed = () => {
      passages.open--;
      pool.inFlight--;
    };
    new Dial(
      this.#passage,
      { hostname, port, connectMs, wheel, tls: null },
      {
        opened: (socket) => this.#passage.join(socket, { idleMs, proxyProtocol: options.proxyProtocol, onClosed }),
        failed: (error) => {
          onClosed();
          this.#failed(error);
        },
        abandoned: () => passages.abandoned(),
        settled: (wasAbandoned) => passages.settled(wasAbandoned),
      },
    );
  }

  #failed(error: GatewayError): void {
    this.#error = error;
    if (error.code === "upstream_connect") this.next();
    else this.#passage.refuse(error);
  }
}
