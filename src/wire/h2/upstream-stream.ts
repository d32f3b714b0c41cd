import { GatewayError, type Sent } from "../../errors.ts";
import type { Attempt } from "../attempt.ts";
import type { BodySink } from "../body.ts";
import { now } from "../event.ts";
import type { Exchange, ResponseHead } from "../exchange.ts";
import type { HeaderList } from "../header-list.ts";
import { isBodiless } from "../parse-response.ts";
import { ReceivedBody } from "../received-body.ts";
import { RepeatableBody } from "../repeatable-body.ts";
import { Upgrade } from "../upgrade.ts";
import { NOTHING } from "../view.ts";
import { H2_CODE } from "./frame.ts";
import { H2Stream, type StreamBreak, type StreamCarrier } from "./stream.ts";
import { StreamBody, type StreamBodyOwner } from "./stream-body.ts";
import type { FieldSection } from "./stream-fields.ts";
import type { RequestHeads } from "./upstream-head.ts";
import { announcedLength, responseHead } from "./upstream-response.ts";
import { switchedHead, UpstreamTunnelEnd } from "./upstream-tunnel.ts";

/** Interim responses of one request are passed on up to so many. */
const INTERIM_LIMIT = 20;

/** Where a stream belongs. */
export interface UpstreamStreamOwner {
  readonly heads: RequestHeads;
  /** True when its connection has carried another attempt before, and may have gone stale since. */
  readonly isReused: boolean;
  /** A response has begun: `release` is to be called when all that came with it is read. */
  hold(stream: UpstreamStream): void;
  /** The client left, or wants no more, before the end: the stream was reset. */
  abandoned(): void;
  /** True when so many clients have left that the endpoint may end the connection for that. */
  readonly isDisturbed: boolean;
  /** The attempt ended, one way or the other. */
  settled(): void;
}

/** `waiting`: for a response's head; `body`: in its body; `tunnel`: a WebSocket; `over`: the attempt has ended. */
type State = "waiting" | "body" | "tunnel" | "over";

/** One attempt on an HTTP/2 connection: its request, and the response that comes of it. */
export class UpstreamStream extends H2Stream implements BodySink, StreamBodyOwner {
  readonly #owner: UpstreamStreamOwner;
  readonly #attempt: Attempt;
  readonly #isReused: boolean;
  #state: State = "waiting";
  #isRequestSent = false;
  /** The request's body, while it may be sent again. */
  #sent: RepeatableBody | null = null;
  #body: StreamBody | null = null;
  #tunnelEnd: UpstreamTunnelEnd | null = null;
  /** A head, and the first bytes behind it, until it is known whether they are the whole response. */
  #held: ResponseHead | null = null;
  #heldBytes: Uint8Array | null = null;
  #interim = 0;

  constructor(carrier: StreamCarrier, attempt: Attempt, owner: UpstreamStreamOwner) {
    super(carrier);
    this.#attempt = attempt;
    this.#owner = owner;
    this.#isReused = owner.isReused;
  }

  /** Sends the request. The stream was just opened. */
  begin(): void {
    const { exchange, asker } = this.#attempt;
    asker.onGone = (reason) => this.#abort(reason);
    if (exchange.upgrade === "websocket") this.#beginTunnel();
    else this.#beginRequest(exchange);
  }

  #beginTunnel(): void {
    const facts = { length: null, expectsContinue: false, protocol: "websocket" };
    this.carrier.sendBlock(this, this.#owner.heads.block(this.#attempt, facts), false);
    this.carrier.wheel.arm(this, this.#attempt.timeouts.responseMs);
  }

  #beginRequest(exchange: Exchange): void {
    const { asker } = this.#attempt;
    const { body } = asker;
    const isOwn = body instanceof ReceivedBody;
    const expectsContinue = isOwn && exchange.expectsContinue && !body.isComplete;
    const length = body === null ? emptyLength(exchange) : body.length;
    const block = this.#owner.heads.block(this.#attempt, { length, expectsContinue, protocol: null });
    this.carrier.sendBlock(this, block, body === null);
    if (body === null) return;
    if (isOwn) body.awaitsUpstreamContinue = expectsContinue;
    const sent = body instanceof RepeatableBody ? body : new RepeatableBody(body);
    asker.body = sent;
    this.#sent = sent;
    sent.pipe(this);
  }

  // The request's body

  write(bytes: Uint8Array): boolean {
    return this.#state === "over" || this.carrier.sendData(this, bytes, false);
  }

  end(trailers: HeaderList | null): void {
    if (this.#state !== "over") this.carrier.sendEnd(this, trailers);
  }

  /** The request's body broke off: what the endpoint has of it must not pass for a whole one. */
  fail(error: GatewayError): void {
    this.#abort(error);
  }

  sendReady(): void {
    if (this.#state === "over") return;
    if (this.#tunnelEnd !== null) {
      this.#tunnelEnd.tunnel?.drained(this.#tunnelEnd);
      return;
    }
    this.carrier.wheel.disarm(this);
    if (this.#state === "body") this.#armBody();
    this.#attempt.asker.body?.resume();
  }

  sendEnded(): void {
    this.#isRequestSent = true;
    if (this.#state === "waiting") this.carrier.wheel.arm(this, this.#attempt.timeouts.responseMs);
    else if (this.#state === "tunnel" && this.isRemoteEnded) this.#settle();
  }

  sendWaits(): void {
    // A tunnel has a time of its own.
    if (this.#state === "waiting" || this.#state === "body")
      this.carrier.wheel.arm(this, this.#attempt.timeouts.idleMs);
  }

  // The response

  headCame(section: FieldSection): void {
    if (this.#state !== "waiting") return;
    if (section.responseFault !== null || section.isTooLarge) this.#malformed(section);
    else if (section.status === 101) this.#protocolError("The upstream sent a 101, which HTTP/2 does not have.");
    else if (section.status < 200) this.#inform(section);
    else {
      this.#sent?.commit();
      this.#respond(section);
    }
  }

  #malformed(section: FieldSection): void {
    const what = section.isTooLarge ? "is too large" : "is malformed";
    this.#protocolError(`The upstream's response head ${what}.`);
  }

  #inform(section: FieldSection): void {
    const { exchange, asker } = this.#attempt;
    if (++this.#interim > INTERIM_LIMIT) this.#protocolError("The upstream sent too many interim responses.");
    // A 100 that nobody asked for is nothing to the client (RFC 9110 15.2.1).
    else if (section.status !== 100 || exchange.expectsContinue) asker.inform(responseHead(section));
  }

  #respond(section: FieldSection): void {
    const { exchange, receiver } = this.#attempt;
    if (exchange.upgrade === "websocket" && section.status < 300) {
      this.#switch(section);
      return;
    }
    const isEmpty = isBodiless(section.status, exchange.upstreamMethod);
    const length = announcedLength(section.regular);
    if (Number.isNaN(length) || (this.isRemoteEnded && length > 0 && !isEmpty)) {
      this.#protocolError("The upstream's response has an invalid Content-Length.");
      return;
    }
    this.expectedBytes = isEmpty ? 0 : length;
    exchange.respondedAt = now();
    exchange.upstreamStatus = section.status;
    const head = responseHead(section);
    if (this.isRemoteEnded || isEmpty) {
      this.#settle();
      // The end of the stream, in a frame of its own, is still to come.
      if (!this.isRemoteEnded && !this.isClosed) this.#armBody();
      receiver.onResponse(exchange, { head, body: null });
      return;
    }
    this.#held = head;
    this.#owner.hold(this);
  }

  /** What came with the head is read: the rest of the response is still on its way. */
  release(): void {
    if (this.#held !== null) this.#respondInPart(this.#held, 0);
  }

  /** Passes the head on, and what was held. `underWay`: bytes that came behind that and are not expected any more. */
  #respondInPart(head: ResponseHead, underWay: number): void {
    const bytes = this.#heldBytes;
    this.#held = null;
    this.#heldBytes = null;
    this.#state = "body";
    const { exchange, receiver } = this.#attempt;
    const length = this.expectedBytes < 0 ? null : this.expectedBytes + (bytes?.length ?? 0) + underWay;
    const body = new StreamBody(this, this, length);
    this.#body = body;
    this.#armBody();
    receiver.onResponse(exchange, { head, body });
    if (bytes !== null) body.feed(bytes);
  }

  /** The response is whole before anybody has seen it. */
  #respondWhole(head: ResponseHead): void {
    const bytes = this.#heldBytes;
    const { exchange, receiver } = this.#attempt;
    this.#settle();
    receiver.onResponse(exchange, { head, body: bytes });
  }

  /** The stream is a WebSocket from now on (RFC 8441 5). */
  #switch(section: FieldSection): void {
    const { exchange, asker, receiver, timeouts } = this.#attempt;
    exchange.respondedAt = now();
    exchange.upstreamStatus = section.status;
    const end = new UpstreamTunnelEnd(this, () => this.#settle());
    this.#tunnelEnd = end;
    this.#state = "tunnel";
    this.carrier.wheel.disarm(this);
    asker.onGone = () => end.terminate();
    if (this.isRemoteEnded) end.endCame();
    receiver.onResponse(exchange, {
      head: switchedHead(section, exchange),
      body: new Upgrade(end, NOTHING, timeouts.idleMs),
    });
  }

  dataCame(bytes: Uint8Array): void {
    if (this.#tunnelEnd !== null) {
      this.#tunnelEnd.dataCame(bytes);
      return;
    }
    if (this.#held !== null) {
      if (this.#heldBytes === null) {
        this.#heldBytes = bytes;
        return;
      }
      this.#respondInPart(this.#held, bytes.length);
    }
    const body = this.#body;
    if (body === null) {
      this.carrier.credit(this, bytes.length);
      return;
    }
    this.#armBody();
    body.feed(bytes);
  }

  endCame(trailers: HeaderList | null): void {
    if (this.#tunnelEnd !== null) {
      this.#tunnelEnd.endCame();
      if (this.isLocalEnded) this.#settle();
      return;
    }
    const told = trailers !== null && trailers.size > 0 ? trailers : null;
    if (this.#held !== null && told === null) {
      this.#respondWhole(this.#held);
      return;
    }
    this.release();
    const body = this.#body;
    this.#settle();
    body?.finish(told);
  }

  broken(cause: StreamBreak): void {
    if (this.#tunnelEnd !== null) {
      this.#settle();
      this.#tunnelEnd.discard();
      this.#tunnelEnd.tunnel?.closed(this.#tunnelEnd, true);
    } else if (cause.reason === "refused") this.#refused();
    else if (cause.reason === "protocol") this.#protocolError("The upstream's response is malformed.");
    else if (cause.reason === "closed") {
      const isReused = this.#isReused || this.#owner.isDisturbed;
      this.#fail("upstream_reset", "The upstream closed the connection.", isReused ? "reused" : "fresh");
    } else if (cause.code === H2_CODE.http_1_1_required) this.#protocolError("The upstream asks for HTTP/1.1.");
    else this.#fail("upstream_reset", "The upstream reset the request.", "fresh");
  }

  /** The endpoint has not looked at the request: all of it may go to another connection. */
  #refused(): void {
    const sent = this.#sent;
    if (sent?.canRepeat === true) {
      sent.rewind();
      this.#sent = null;
      this.#isRequestSent = true;
    }
    this.#fail("upstream_reset", "The upstream did not take the request.", "nothing");
  }

  override fire(): void {
    if (this.#state === "over") this.carrier.reset(this, H2_CODE.cancel);
    const isWaiting = this.#state === "waiting";
    const detail = isWaiting ? "The upstream did not answer in time." : "The upstream fell silent in its response.";
    this.#fail("upstream_timeout", detail, "fresh");
  }

  // StreamBodyOwner

  sendContinue(): void {}

  bodyCancelled(): void {
    this.#settle();
    if (!this.isClosed) this.#owner.abandoned();
    this.carrier.reset(this, H2_CODE.cancel);
  }

  bodyPaused(isPaused: boolean): void {
    // A client that reads slowly is not the endpoint's silence.
    if (this.#state === "body") this.carrier.wheel.arm(this, isPaused ? 0 : this.#attempt.timeouts.idleMs);
  }

  // The end of the attempt

  #armBody(): void {
    const { idleMs } = this.#attempt.timeouts;
    const isHeldBack = this.isSendBlocked || this.#body?.isPaused === true;
    if (idleMs > 0 && !isHeldBack) this.carrier.wheel.arm(this, idleMs);
  }

  #settle(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#body = null;
    this.#held = null;
    if (this.#heldBytes !== null) this.carrier.credit(this, this.#heldBytes.length);
    this.#heldBytes = null;
    const { asker } = this.#attempt;
    asker.onGone = null;
    this.carrier.wheel.disarm(this);
    // An answer to a part of the request: nobody wants the rest.
    if (!this.#isRequestSent) {
      asker.body?.cancel();
      this.carrier.reset(this, H2_CODE.cancel);
    }
    this.#owner.settled();
  }

  /** `sent` counts while nothing of a response came. */
  #fail(code: "upstream_timeout" | "upstream_reset" | "upstream_protocol", detail: string, sent: Sent): void {
    if (this.#state === "over") return;
    const { exchange, receiver } = this.#attempt;
    const isWaiting = this.#state === "waiting";
    const body = this.#body;
    const error = new GatewayError(code, detail, {
      sent: this.hasHead || this.#interim > 0 ? "fresh" : sent,
      ...(code === "upstream_reset" && this.#owner.isDisturbed ? { source: "gateway" } : {}),
    });
    this.#settle();
    this.carrier.reset(this, H2_CODE.cancel);
    if (isWaiting) receiver.onFailure(exchange, error);
    else body?.fail(error);
  }

  #protocolError(detail: string): void {
    this.#fail("upstream_protocol", detail, "fresh");
  }

  /** The client is gone, or what it sends is void: the endpoint is told by a reset, and is not to blame. */
  #abort(error: GatewayError): void {
    if (this.#state === "over") return;
    const { exchange, receiver } = this.#attempt;
    const isWaiting = this.#state === "waiting";
    this.#settle();
    this.#owner.abandoned();
    this.carrier.reset(this, H2_CODE.cancel);
    if (isWaiting) receiver.onFailure(exchange, error);
  }
}

/** A method that expects content says so even without any (RFC 9110 8.6). */
export function emptyLength({ upstreamMethod }: Exchange): number | null {
  return upstreamMethod === "POST" || upstreamMethod === "PUT" || upstreamMethod === "PATCH" ? 0 : null;
}
