import type { Socket } from "bun";
import { GatewayError, type Sent } from "../errors.ts";
import type { Attempt } from "./attempt.ts";
import type { BodySink } from "./body.ts";
import { now } from "./event.ts";
import type { Exchange } from "./exchange.ts";
import { hasBadOctet, listElements } from "./fields.ts";
import { dropNamedFields, requestText } from "./forwarding.ts";
import type { HeaderList } from "./header-list.ts";
import { Outlet } from "./outlet.ts";
import { framingOf, ParsedResponse, parseResponse } from "./parse-response.ts";
import { ReceivedBody } from "./received-body.ts";
import { ResponseBody, type ResponseBodyOwner } from "./response-body.ts";
import { lastChunk } from "./response-writer.ts";
import type { SocketOwner } from "./socket-events.ts";
import { Timer, type TimerWheel } from "./timer-wheel.ts";
import { TUNNEL_LINGER_MS, type Tunnel, type TunnelEnd } from "./tunnel.ts";
import { Upgrade } from "./upgrade.ts";
import { viewFrom } from "./view.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
/** Bound on a response's head; interim ones count each for themselves, up to so many. */
const HEAD_BYTES = 64 * 1024;
const INTERIM_LIMIT = 20;

/** Where a connection belongs. */
export interface UpstreamOwner {
  readonly wheel: TimerWheel;
  /** The endpoint's latest response, whatever connection it came by, if the next may repeat its fields. */
  last: ParsedResponse | null;
  /** An attempt ended, one way or the other. */
  settled(): void;
  /** The connection may be used again. */
  release(connection: Upstream): void;
  /** The connection's socket is gone. */
  closed(connection: Upstream): void;
}

/** `idle`: lent to nobody; `waiting`: for a response's head; `body`: in its body; `tunnel`; `closed`. */
type State = "idle" | "waiting" | "body" | "tunnel" | "closed";

/** A connection to an endpoint: carries one attempt after the other. */
export class Upstream extends Timer implements SocketOwner, BodySink, ResponseBodyOwner, TunnelEnd {
  readonly outlet: Outlet;
  tunnel: Tunnel | null = null;
  readonly #socket: Socket<unknown>;
  readonly #owner: UpstreamOwner;
  #state: State = "idle";
  #attempt: Attempt | null = null;
  #body: ResponseBody | null = null;
  #head: Buffer | null = null;
  #isReused = false;
  #isRequestSent = true;
  #keepsAlive = true;
  #interim = 0;

  constructor(socket: Socket<unknown>, owner: UpstreamOwner) {
    super();
    this.#socket = socket;
    this.outlet = new Outlet(socket);
    this.#owner = owner;
  }

  /** Sends a request. The connection must be idle. */
  begin(attempt: Attempt): void {
    const { exchange, asker } = attempt;
    this.#owner.wheel.disarm(this);
    this.#attempt = attempt;
    this.#state = "waiting";
    this.#interim = 0;
    asker.onGone = (reason) => this.#abort(attempt, reason);
    const { body } = asker;
    const isChunked = body !== null && body.length === null;
    const isOwn = body instanceof ReceivedBody;
    const expectsContinue = isOwn && exchange.expectsContinue && !body.isComplete;
    // A method that expects content says so even without any (RFC 9110 8.6).
    const length = body === null ? emptyLength(exchange) : body.length;
    this.outlet.text(requestText(attempt, { length, isChunked, expectsContinue }));
    if (body === null) {
      this.#armResponse(attempt);
      return;
    }
    if (isOwn) body.awaitsUpstreamContinue = expectsContinue;
    this.#isRequestSent = false;
    body.pipe(this);
  }

  // The request's body

  write(bytes: Uint8Array): boolean {
    if (this.#state === "closed" || this.#attempt === null) return true;
    if (this.#attempt.asker.body?.length === null) {
      this.outlet.text(`${bytes.length.toString(16)}\r\n`);
      this.outlet.bytes(bytes);
      this.outlet.text("\r\n");
    } else this.outlet.bytes(bytes);
    if (!this.outlet.isBlocked) return true;
    this.#owner.wheel.arm(this, this.#attempt.timeouts.idleMs);
    return false;
  }

  end(trailers: HeaderList | null): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    if (attempt.asker.body?.length === null) this.outlet.text(lastChunk(trailers));
    this.#isRequestSent = true;
    if (this.#state === "waiting") this.#armResponse(attempt);
  }

  /** The request's body broke off: what the endpoint has of it must not pass for a whole one. */
  fail(error: GatewayError): void {
    if (this.#attempt !== null) this.#abort(this.#attempt, error);
  }

  // What the socket tells

  onData(bytes: Buffer): void {
    if (this.#state === "waiting") this.#readHead(bytes);
    else if (this.#state === "body") this.#readBody(bytes);
    else if (this.#state === "tunnel") this.tunnel?.data(this, bytes);
    else this.terminate(); // Bytes that answer no request would be taken for the next one's response.
  }

  onDrain(): void {
    if (this.#state === "tunnel") {
      this.tunnel?.drained(this);
      return;
    }
    const attempt = this.#attempt;
    if (!this.outlet.drain() || attempt === null) return;
    if (this.#isRequestSent && this.#state === "waiting") this.#armResponse(attempt);
    else if (!this.#isRequestSent) {
      this.#owner.wheel.disarm(this);
      attempt.asker.body?.resume();
    }
  }

  onEnd(): void {
    if (this.#state === "tunnel") this.tunnel?.ended(this);
    else if (this.#state === "body" && this.#body?.framing === "close") {
      this.#keepsAlive = false;
      this.#body.end(null);
    } else {
      this.#broken("The upstream closed the connection.");
      this.terminate();
    }
  }

  onClose(isReset: boolean): void {
    if (this.#state === "closed") return;
    const wasTunnel = this.#state === "tunnel";
    if (!wasTunnel) this.#broken("The upstream reset the connection.");
    this.#state = "closed";
    this.#owner.wheel.remove(this);
    if (wasTunnel) this.#owner.settled();
    this.#owner.closed(this);
    if (wasTunnel) this.tunnel?.closed(this, isReset);
  }

  override fire(): void {
    if (this.#state === "waiting") this.#failAttempt("upstream_timeout", "The upstream did not answer in time.");
    else if (this.#state === "body") this.#failBody("upstream_timeout", "The upstream fell silent in its response.");
    this.terminate();
  }

  // The response

  #readHead(piece: Buffer): void {
    const bytes = this.#head === null ? piece : Buffer.concat([this.#head, piece]);
    this.#head = null;
    let at = 0;
    for (let hasMore = true; hasMore; ) {
      const end = bytes.indexOf(HEAD_END, at);
      if (end < 0 || end - at > HEAD_BYTES) {
        if (bytes.length - at > HEAD_BYTES) this.#protocolError("The upstream's response head is too large.");
        else if (bytes.length > at) this.#keepHead(bytes.subarray(at));
        return;
      }
      const text = bytes.toString("latin1", at, end);
      at = end + 4;
      hasMore = this.#takeHead(text, bytes, at);
    }
  }

  #keepHead(bytes: Buffer): void {
    // What can never become a head is not waited for.
    if (hasBadOctet(bytes.toString("latin1"))) this.#protocolError("The upstream's response head is malformed.");
    else this.#head = Buffer.from(bytes);
  }

  /** Takes a head; what follows it begins at `at`. Returns true when it was an interim one and another must follow. */
  #takeHead(text: string, bytes: Buffer, at: number): boolean {
    const attempt = this.#attempt;
    if (attempt === null) return false;
    let head: ParsedResponse;
    try {
      head = parseResponse(text, this.#owner.last);
    } catch (error) {
      this.#fail(error instanceof GatewayError ? error : new GatewayError("internal", "", { cause: error }));
      return false;
    }
    if (head.status >= 200) this.#respond(attempt, head, viewFrom(bytes, at));
    else if (head.status === 101) this.#upgrade(attempt, head, viewFrom(bytes, at));
    else return this.#inform(attempt, head);
    return false;
  }

  #inform(attempt: Attempt, head: ParsedResponse): boolean {
    if (++this.#interim > INTERIM_LIMIT) {
      this.#protocolError("The upstream sent too many interim responses.");
      return false;
    }
    // A 100 that nobody asked for is nothing to the client (RFC 9110 15.2.1).
    if (head.status !== 100 || attempt.exchange.expectsContinue) attempt.asker.inform(head);
    return true;
  }

  #respond(attempt: Attempt, head: ParsedResponse, rest: Uint8Array): void {
    const { exchange, receiver, timeouts } = attempt;
    const framing = framingOf(head, exchange.upstreamMethod);
    if (this.#owner.last === null || this.#owner.last.headers.block !== head.headers.block) this.#clean(head);
    exchange.respondedAt = now();
    exchange.upstreamStatus = head.status;
    this.#keepsAlive = head.keepsAlive && framing !== "close";
    this.#owner.wheel.disarm(this);
    this.#state = "body";
    const length = framing === "none" ? 0 : framing === "length" ? head.contentLength : Number.POSITIVE_INFINITY;
    if (rest.length >= length) {
      // Whole already: the connection is free before anybody sees the response.
      if (rest.length > length) this.#keepsAlive = false;
      this.#release();
      const whole = rest.length > length ? rest.subarray(0, length) : rest;
      receiver.onResponse(exchange, { head, body: framing === "none" ? null : whole });
      return;
    }
    const body = new ResponseBody(this, framing, head.contentLength);
    this.#body = body;
    body.prefetch(rest);
    receiver.onResponse(exchange, { head, body });
    body.settle();
    if (this.#body === body && timeouts.idleMs > 0) this.#owner.wheel.arm(this, timeouts.idleMs);
  }

  /** Takes away what is not for anybody behind this connection; fields that need it are not remembered. */
  #clean(head: ParsedResponse): void {
    dropNamedFields(head.headers);
    const isPlain = head.headers.block !== null;
    this.#owner.last = isPlain ? Object.assign(new ParsedResponse(), head, { headers: head.headers.copy() }) : null;
  }

  #readBody(bytes: Buffer): void {
    const idleMs = this.#attempt?.timeouts.idleMs ?? 0;
    if (idleMs > 0) this.#owner.wheel.arm(this, idleMs);
    this.#body?.feed(bytes);
  }

  #upgrade(attempt: Attempt, head: ParsedResponse, rest: Uint8Array): void {
    const { exchange, asker, receiver, timeouts } = attempt;
    const asked = listElements(exchange.upgrade ?? "");
    const granted = listElements(head.headers.get("upgrade") ?? "");
    if (granted.length === 0 || !granted.every((protocol) => asked.includes(protocol))) {
      this.#protocolError("The upstream switched to a protocol that nobody asked for.");
      return;
    }
    exchange.respondedAt = now();
    exchange.upstreamStatus = head.status;
    this.#state = "tunnel";
    this.#attempt = null;
    this.#owner.wheel.disarm(this);
    asker.onGone = () => this.terminate();
    receiver.onResponse(exchange, { head, body: new Upgrade(this, Buffer.from(rest), timeouts.idleMs) });
  }

  // ResponseBodyOwner

  setPaused(isPaused: boolean): void {
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
    // A client that reads slowly is not the endpoint's silence.
    const idleMs = this.#attempt?.timeouts.idleMs ?? 0;
    if (idleMs > 0) this.#owner.wheel.arm(this, isPaused ? 0 : idleMs);
  }

  bodyEnded(hasMore: boolean): void {
    if (hasMore) this.#keepsAlive = false;
    this.#release();
  }

  bodyCancelled(): void {
    this.#settle();
    this.terminate();
  }

  bodyMalformed(): void {
    this.#settle();
    this.terminate();
  }

  // The end of an attempt

  #release(): void {
    const isReusable = this.#keepsAlive && this.#isRequestSent && !this.outlet.isBlocked;
    this.#settle();
    if (!isReusable) {
      this.terminate();
      return;
    }
    this.#state = "idle";
    this.#isReused = true;
    this.#owner.release(this);
  }

  #settle(): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    attempt.asker.onGone = null;
    if (!this.#isRequestSent) attempt.asker.body?.cancel();
    this.#attempt = null;
    this.#body = null;
    this.#owner.settled();
  }

  /** `reused` only while nothing at all came back: then the endpoint may have closed before it read the request. */
  #sent(): Sent {
    return this.#isReused && this.#state === "waiting" && this.#head === null && this.#interim === 0
      ? "reused"
      : "fresh";
  }

  #fail(error: GatewayError): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    this.#settle();
    this.terminate();
    attempt.receiver.onFailure(attempt.exchange, error);
  }

  #failAttempt(code: "upstream_timeout" | "upstream_reset" | "upstream_protocol", detail: string): void {
    this.#fail(new GatewayError(code, detail, { sent: this.#sent() }));
  }

  #failBody(code: "upstream_timeout" | "upstream_reset", detail: string): void {
    const body = this.#body;
    this.#settle();
    body?.fail(new GatewayError(code, detail, { sent: this.#sent() }));
  }

  #protocolError(detail: string): void {
    this.#failAttempt("upstream_protocol", detail);
  }

  #broken(detail: string): void {
    if (this.#state === "waiting") this.#failAttempt("upstream_reset", detail);
    else if (this.#state === "body") this.#failBody("upstream_reset", detail);
  }

  /** The client is gone, or what it sends is void: the endpoint is told by a reset, and is not to blame. */
  #abort(attempt: Attempt, error: GatewayError): void {
    if (this.#attempt !== attempt) return;
    const isWaiting = this.#state === "waiting";
    this.#settle();
    this.terminate();
    if (isWaiting) attempt.receiver.onFailure(attempt.exchange, error);
  }

  #armResponse(attempt: Attempt): void {
    this.#owner.wheel.arm(this, attempt.timeouts.responseMs);
  }

  /** Waits for the next attempt; closes after so much silence. */
  rest(idleMs: number): void {
    this.#owner.wheel.arm(this, idleMs);
  }

  linger(): void {
    if (this.#state === "tunnel") this.#owner.wheel.arm(this, TUNNEL_LINGER_MS);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

function emptyLength(exchange: Exchange): number | null {
  const { upstreamMethod } = exchange;
  return upstreamMethod === "POST" || upstreamMethod === "PUT" || upstreamMethod === "PATCH" ? 0 : null;
}
