import type { GatewayError } from "../errors.ts";
import { now } from "../wire/event.ts";
import type { Passage, PassageObserver } from "../wire/l4/passage.ts";
import type { Endpoint } from "./endpoint.ts";
import { type VerdictParts, Verdicts } from "./verdicts.ts";

/**
 * What one connection that is passed on as it is tells about a service and its endpoints: whether they accept. What
 * happens on it later is between its ends. It counts as one request of the service's until it is over.
 */
export class PassageTrial implements PassageObserver {
  readonly #verdicts: Verdicts;
  readonly #observer: PassageObserver | null;
  #startedAt = 0;

  /** From here on the passage's end is told here, and to who was to be told before. */
  constructor(passage: Passage, parts: VerdictParts) {
    this.#verdicts = new Verdicts(parts, passage);
    this.#observer = passage.observer;
    passage.observer = this;
  }

  /** A connection to an endpoint is being opened. */
  began(): void {
    this.#startedAt = now();
  }

  /** The endpoint accepted. */
  opened(endpoint: Endpoint): void {
    this.#verdicts.ofService(false, now() - this.#startedAt);
    this.#verdicts.ofEndpoint(endpoint, false);
  }

  /** It did not, or the client left meanwhile, which blames nobody. */
  failed(endpoint: Endpoint, error: GatewayError): void {
    if (error.source !== "upstream") return;
    this.#verdicts.ofService(true, now() - this.#startedAt);
    this.#verdicts.ofEndpoint(endpoint, true);
  }

  foundFull(): void {
    this.#verdicts.foundFull();
  }

  passageDone(passage: Passage): void {
    this.#verdicts.leave();
    // Who counts passages knows them by who observed them first.
    passage.observer = this.#observer;
    this.#observer?.passageDone(passage);
  }
}
