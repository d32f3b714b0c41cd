import { GatewayError } from "../errors.ts";
import type { JoinOptions, Passage } from "../wire/l4/passage.ts";
import type { PendingBound } from "../wire/waiting.ts";
import { noteChoice, noteZone } from "./choice-note.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Guards } from "./guards.ts";
import { passageKey } from "./hash-key.ts";
import type { ServiceOptions } from "./options.ts";
import type { PassageTrial } from "./passage-trial.ts";
import { noEndpoint } from "./refusals.ts";
import type { Subset } from "./subset.ts";

/** Endpoints that are tried for one passage. */
const ATTEMPT_LIMIT = 3;

export interface ConnectContext {
  readonly options: ServiceOptions;
  readonly subset: Pick<Subset, "name" | "balancer" | "used">;
  /** Null where nobody judges. */
  readonly guards: Pick<Guards, "admit" | "pending"> | null;
  /** Gives numbers in [0, 1). */
  readonly random: () => number;
}

/** The search for an endpoint that takes one passage. Nothing is sent before a connection is there, so others are safe to try. */
export class Connect {
  readonly #passage: Passage;
  readonly #context: ConnectContext;
  readonly #tried: Endpoint[] = [];
  #error: GatewayError | null = null;
  #trial: PassageTrial | null = null;

  constructor(passage: Passage, context: ConnectContext) {
    this.#passage = passage;
    this.#context = context;
  }

  /** Joins the passage with an endpoint in the end, or refuses it. To be called once. */
  begin(): void {
    const trial = this.#context.guards?.admit(this.#passage) ?? null;
    if (trial instanceof GatewayError) {
      this.#passage.refuse(trial);
      return;
    }
    this.#trial = trial;
    this.#next();
  }

  #next(): void {
    const endpoint = this.#tried.length < ATTEMPT_LIMIT ? this.#pick() : null;
    if (endpoint === null) {
      this.#passage.refuse(this.#error ?? this.#noEndpoint());
      return;
    }
    const pending = this.#context.guards?.pending ?? null;
    if (pending !== null && pending.count >= pending.limit) {
      this.#trial?.foundFull();
      this.#passage.refuse(new GatewayError("overloaded", "Too many connections to this service are being opened."));
      return;
    }
    if (this.#tried.length === 0) noteChoice(this.#passage, endpoint, this.#context);
    else noteZone(this.#passage, endpoint, this.#context.options.zone);
    this.#tried.push(endpoint);
    this.#dial(endpoint, pending);
  }

  /**
   * The balancer's choice; any other that was not tried where it chooses one again, or one that is full. The first
   * alone goes by a key: all that have it would fall upon one endpoint else, when theirs fails.
   */
  #pick(): Endpoint | null {
    const { subset, options, random } = this.#context;
    const isKeyed = options.hashBy !== null && this.#tried.length === 0;
    const picked = subset.balancer.pick(isKeyed ? passageKey(options.hashBy, this.#passage) : undefined);
    if (picked !== null && this.#isFree(picked)) return picked;
    const free = subset.used.filter((endpoint) => endpoint.weight > 0 && this.#isFree(endpoint));
    return free[Math.floor(random() * free.length)] ?? null;
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

  #dial(endpoint: Endpoint, pending: PendingBound | null): void {
    const { options } = this.#context;
    const { passages, pool } = endpoint;
    this.#passage.endpoint = endpoint.id;
    this.#passage.attempts++;
    // The balancer weighs passages like requests.
    pool.inFlight++;
    const onClosed = () => {
      pool.inFlight--;
    };
    const settled = () => {
      if (pending !== null) pending.count--;
    };
    const onOpened = () => {
      settled();
      this.#trial?.opened(endpoint);
    };
    if (pending !== null) pending.count++;
    this.#trial?.began();
    const { idleMs } = options.timeouts;
    const join: JoinOptions = { idleMs, proxyProtocol: options.proxyProtocol, onOpened, onClosed };
    passages.connect(this.#passage, join, (error) => {
      settled();
      this.#failed(endpoint, error);
    });
  }

  #failed(endpoint: Endpoint, error: GatewayError): void {
    this.#trial?.failed(endpoint, error);
    this.#error = error;
    if (error.code === "upstream_connect") this.#next();
    else this.#passage.refuse(error);
  }
}
