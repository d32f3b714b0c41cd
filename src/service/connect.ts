import { GatewayError } from "../errors.ts";
import type { JoinOptions, Passage } from "../wire/l4/passage.ts";
import type { Endpoint } from "./endpoint.ts";
import { passageKey } from "./hash-key.ts";
import type { ServiceOptions } from "./options.ts";
import { noEndpoint } from "./refusals.ts";
import type { Subset } from "./subset.ts";

/** Endpoints that are tried for one passage. */
const ATTEMPT_LIMIT = 3;

export interface ConnectContext {
  readonly options: ServiceOptions;
  readonly subset: Pick<Subset, "name" | "balancer" | "used">;
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
    this.#dial(endpoint);
  }

  /** The balancer's choice; another that was not tried where it chooses one again, or one that is full. */
  #pick(): Endpoint | null {
    const { subset, options } = this.#context;
    const picked = subset.balancer.pick(
      options.hashBy === null ? undefined : passageKey(options.hashBy, this.#passage),
    );
    if (picked !== null && this.#isFree(picked)) return picked;
    return subset.used.find((endpoint) => endpoint.weight > 0 && this.#isFree(endpoint)) ?? null;
  }

  #isFree(endpoint: Endpoint): boolean {
    return !endpoint.passages.isFull && !this.#tried.some(({ pool }) => pool === endpoint.pool);
  }

  #noEndpoint(): GatewayError {
    const { name, used } = this.#context.subset;
    const isFull = used.some(({ weight }) => weight > 0);
    return isFull
      ? new GatewayError("overloaded", "Every endpoint has all the connections that it may have.")
      : noEndpoint(name);
  }

  #dial(endpoint: Endpoint): void {
    const { options } = this.#context;
    const { passages, pool } = endpoint;
    this.#passage.endpoint = endpoint.id;
    this.#passage.attempts++;
    // The balancer weighs passages like requests.
    pool.inFlight++;
    const onClosed = () => {
      pool.inFlight--;
    };
    const { idleMs } = options.timeouts;
    const join: JoinOptions = { idleMs, proxyProtocol: options.proxyProtocol, onClosed };
    passages.connect(this.#passage, join, (error) => this.#failed(error));
  }

  #failed(error: GatewayError): void {
    this.#error = error;
    if (error.code === "upstream_connect") this.next();
    else this.#passage.refuse(error);
  }
}
