import type { GatewayError } from "../errors.ts";
import type { BodySource } from "./body.ts";
import type { HeaderList } from "./header-list.ts";
import type { Timer } from "./timer-wheel.ts";
import type { TlsInfo } from "./tls/tls-info.ts";

/** Who asks. `address` is the client's own, read through `trustedProxies`; `peer` is the other end of the socket. */
export interface ClientInfo {
  readonly address: string;
  readonly peer: string;
  readonly port: number;
  /** The gateway's own port that the client came to. */
  readonly localPort: number;
  /** True when `peer` is one of the trusted proxies. */
  readonly isTrusted: boolean;
  /** Null on a connection in the clear. */
  readonly tls: TlsInfo | null;
}

/** As the access log writes it. */
export type HttpProtocol = "HTTP/1.0" | "HTTP/1.1" | "HTTP/2.0" | "HTTP/3.0";

export interface ResponseHead {
  readonly status: number;
  /** Reason phrase; may be empty. */
  readonly reason: string;
  readonly headers: HeaderList;
}

/** What a policy did with a request, for the access log. */
export interface Decision {
  /** Such as `retry` or `rate_limit`. */
  readonly policy: string;
  /** A state, such as `budget_exhausted`. */
  readonly outcome: string;
  /** What it was about, such as an endpoint or the name of a limit; null where the outcome says it all. */
  readonly about: string | null;
}

/** More of them are not kept. */
const DECISIONS = 16;

/** Decisions with one more, as long as there is room. */
export function noted(before: readonly Decision[] | null, decision: Decision): readonly Decision[] {
  if (before === null) return [decision];
  return before.length < DECISIONS ? [...before, decision] : before;
}

/** Bytes, a source to stream from, or no body. */
export type Body = Uint8Array | BodySource | null;

/** Where a duration is counted, by method and status. */
export interface DurationSlot {
  observe(method: string, status: number, seconds: number): void;
}

/** What is known of an exchange when it is over. */
export interface ExchangeEnd {
  readonly status: number;
  /** Of the request's body. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/** Told once when an exchange is over, in whatever way. */
export interface ExchangeObserver {
  exchangeDone(exchange: Exchange): void;
}

/** The connection that an exchange came by: the only one who writes to the client. */
export interface Responder {
  respond(exchange: Exchange, head: ResponseHead, body: Body): void;
  inform(exchange: Exchange, head: ResponseHead): void;
  refuse(exchange: Exchange, error: GatewayError): void;
}

/** The request as it was parsed. */
export interface RequestHead {
  readonly method: string;
  /** Raw target in origin-form, byte for byte, query included. */
  readonly target: string;
  /** Minor version of HTTP/1; 1 where a later version was spoken. */
  readonly minor: number;
  readonly protocol: HttpProtocol;
  /** Lower-case host without port. */
  readonly host: string;
  /** Host and port as the client gave them. */
  readonly authority: string;
  readonly headers: HeaderList;
}

/** One request and its response on the wire. Lives from the parsed head to the last byte of the response. */
export class Exchange {
  readonly id: string;
  /** `performance.now()` when the head was complete. */
  readonly startedAt: number;
  readonly method: string;
  readonly target: string;
  readonly minor: number;
  readonly protocol: HttpProtocol;
  readonly host: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly listener: string;
  readonly client: ClientInfo;
  /** Fields of the request; what plugins change here is what goes upstream. */
  readonly headers: HeaderList;
  /** Null when the request has no body. */
  body: BodySource | null;
  /** Protocol that the client wants to upgrade to, in lower case. */
  readonly upgrade: string | null;
  /** True when the client waits for a 100 before it sends its body. */
  readonly expectsContinue: boolean;
  /** `performance.now()` when the request's last byte came; 0 before. */
  requestEndedAt = 0;

  /** What goes upstream instead of `target`, `method` and `authority`; plugins may set them. */
  upstreamMethod: string;
  upstreamTarget: string;
  upstreamAuthority: string;

  /** What the route's match found: the prefix that matched, and the values of a pattern's parameters. */
  prefix: string | null = null;
  params: Readonly<Record<string, string>> | null = null;

  /** Whoever must know of the end: the configuration that serves the exchange. */
  observer: ExchangeObserver | null = null;
  /** Bounds the work on the exchange; the observer lets go of it in the end. */
  deadline: Timer | null = null;
  /** `performance.now()` when the client waits no longer, as it said itself; 0 where it said nothing. */
  expiresAt = 0;
  /** From the request's last byte to its response's head, where services are told of that; 0 where they are not. */
  toldMs = 0;
  /** Where the time of the backend that was chosen is counted. */
  slot: DurationSlot | null = null;

  /** Facts for the log, filled in as they become known. */
  route: string | null = null;
  service: string | null = null;
  endpoint: string | null = null;
  attempts = 0;
  /** What policies did, in their order; null: nothing worth telling. Written by `decided`. */
  decisions: readonly Decision[] | null = null;
  /** What a verified token says of who asks; null: none was shown, or no plugin looked. */
  claims: Readonly<Record<string, unknown>> | null = null;
  /** `performance.now()` when the request was given to a service, 0 if it was not. */
  forwardedAt = 0;
  /** `performance.now()` of the upstream's response head, 0 if there was none. */
  respondedAt = 0;
  /** Status of the upstream's response, 0 if there was none; a plugin may have answered with another. */
  upstreamStatus = 0;
  /** `performance.now()` at the end, 0 before. */
  endedAt = 0;
  status = 0;
  bytesReceived = 0;
  bytesSent = 0;
  error: GatewayError | null = null;
  /** True once a final response head is on its way. */
  isAnswered = false;
  /** True once the last byte is sent or the exchange was broken off. */
  isDone = false;

  readonly #responder: Responder;
  #abort: AbortController | null = null;
  #listeners: ((end: ExchangeEnd) => void)[] | null = null;
  #hasEnded = false;
  #onGone: ((reason: GatewayError) => void) | null = null;

  constructor(head: RequestHead, origin: ExchangeOrigin) {
    this.id = origin.id;
    this.startedAt = origin.startedAt;
    this.method = head.method;
    this.target = head.target;
    this.minor = head.minor;
    this.protocol = head.protocol;
    this.host = head.host;
    this.authority = head.authority;
    this.headers = head.headers;
    this.scheme = origin.scheme;
    this.listener = origin.listener;
    this.client = origin.client;
    this.body = origin.body;
    this.upgrade = origin.upgrade;
    this.expectsContinue = origin.expectsContinue;
    this.upstreamMethod = head.method;
    this.upstreamTarget = head.target;
    this.upstreamAuthority = head.authority;
    this.#responder = origin.responder;
  }

  /** The response; its head leaves at once. A second call is ignored. */
  respond(head: ResponseHead, body: Body): void {
    if (this.isAnswered || this.isDone) return;
    this.#responder.respond(this, head, body);
  }

  /** An interim response (1xx); dropped when the client speaks HTTP/1.0 or the final one has left. */
  inform(head: ResponseHead): void {
    if (!this.isAnswered && !this.isDone) this.#responder.inform(this, head);
  }

  /** Answers with the error's problem; when the head has left already, the connection is broken off instead. */
  refuse(error: GatewayError): void {
    if (!this.isDone) this.#responder.refuse(this, error);
  }

  /** Notes what a policy did; the sixteenth is the last that is kept. */
  decided(policy: string, outcome: string, about: string | null = null): void {
    this.decisions = noted(this.decisions, { policy, outcome, about });
  }

  /** Calls once when all is over, in whatever way; at once where it is: plugins may go on after the client has left. */
  whenDone(listener: (end: ExchangeEnd) => void): void {
    if (this.#hasEnded) {
      listener(this);
      return;
    }
    this.#listeners ??= [];
    this.#listeners.push(listener);
  }

  /** Tells all who wait for the end, and throws what the first of them threw; called once, by whoever counts exchanges. */
  ended(): void {
    this.#hasEnded = true;
    const listeners = this.#listeners;
    if (listeners === null) return;
    this.#listeners = null;
    const failures: unknown[] = [];
    for (const listener of listeners) {
      try {
        listener(this);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Aborts when the client left or the deadline passed. Made on first use. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  /** One listener for the client's leaving; the one who holds the upstream connection sets it. */
  set onGone(listener: ((reason: GatewayError) => void) | null) {
    this.#onGone = listener;
  }

  /** Called when the deadline passed before there was a response: whoever works on it is told, and it is refused. */
  expire(error: GatewayError): void {
    this.#stop(error);
    // Whoever worked on it may have answered with the error already.
    if (!this.isAnswered) this.refuse(error);
  }

  /** Called by the connection when the client left. */
  gone(reason: GatewayError): void {
    this.error ??= reason;
    this.#stop(reason);
  }

  /** Tells whoever works on the exchange that nobody waits for it any more. */
  #stop(reason: GatewayError): void {
    this.#abort?.abort(reason);
    this.#onGone?.(reason);
  }
}

export interface ExchangeOrigin {
  readonly id: string;
  readonly startedAt: number;
  readonly scheme: "http" | "https";
  readonly listener: string;
  readonly client: ClientInfo;
  readonly body: BodySource | null;
  readonly upgrade: string | null;
  readonly expectsContinue: boolean;
  readonly responder: Responder;
}
