import type { Socket } from "bun";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { DownstreamState, LentConnection } from "./downstream-state.ts";
import { DownstreamTunnel } from "./downstream-tunnel.ts";
import { now } from "./event.ts";
import type { Body, ClientInfo, Exchange, Responder, ResponseHead } from "./exchange.ts";
import { HeadReader } from "./head-reader.ts";
import { Lingering } from "./lingering.ts";
import type { ListenerContext, ServerConnection } from "./listener-context.ts";
import { makeExchange } from "./origin.ts";
import { Outlet } from "./outlet.ts";
import type { ParsedRequest } from "./parse-request.ts";
import { refusalOf, refuseUnread } from "./problem.ts";
import { ReadGate } from "./read-gate.ts";
import { RequestBody, type RequestBodyOwner } from "./request-body.ts";
import { CONTINUE, interimText, responseDelimiter, responseText, toldLength } from "./response-text.ts";
import { ResponseWriter, type ResponseWriterOwner } from "./response-writer.ts";
import { Timer } from "./timer-wheel.ts";
import { Upgrade } from "./upgrade.ts";
import { uploadPace } from "./upload-pace.ts";
import { asBuffer, NOTHING } from "./view.ts";

/** A client's connection: reads requests one after the other, writes their responses in order. */
export class Downstream extends Timer implements ServerConnection, Responder, RequestBodyOwner, ResponseWriterOwner {
  readonly outlet: Outlet;
  readonly #socket: Socket<Downstream>;
  readonly #context: ListenerContext<Downstream>;
  readonly #client: ClientInfo;
  readonly #reader: HeadReader;
  readonly #gate: ReadGate;
  #state: DownstreamState = "idle";
  #exchange: Exchange | null = null;
  #body: RequestBody | null = null;
  #writer: ResponseWriter | null = null;
  #tunnel: DownstreamTunnel | null = null;
  #lingering: Lingering | null = null;
  #served = 0;
  #idleAt = 0;
  #closesAfter = false;
  #hasEnded = false;
  #isConsuming = false;

  constructor(socket: Socket<Downstream>, context: ListenerContext<Downstream>, client: ClientInfo) {
    super();
    this.#socket = socket;
    this.outlet = new Outlet(socket);
    this.#gate = new ReadGate(socket);
    this.#reader = new HeadReader(client.isTrusted);
    this.#context = context;
    this.#client = client;
    context.wheel.arm(this, context.limits.headerTimeoutMs);
  }

  // What the socket tells

  onData(bytes: Buffer): void {
    this.#gate.beginTurn();
    if (this.#state === "busy") this.#dataWhileBusy(bytes);
    else if (this.#state === "tunnel") this.#tunnel?.data(bytes);
    else if (this.#state === "lingering") this.#lingering?.data(bytes);
    else if (this.#gate.hasHeld) this.#gate.hold(bytes);
    else if (this.#state !== "closed") this.#consume(bytes, false);
  }

  onDrain(): void {
    if (this.#state === "tunnel") this.#tunnel?.drained();
    else this.#drained(this.outlet.drain());
  }

  #drained(isDrained: boolean): void {
    if (this.#writer !== null) {
      if (isDrained) this.#context.wheel.disarm(this);
      else this.armIdle();
      if (isDrained) this.#writer.source.resume();
    } else if (this.#state === "lingering") this.#lingering?.drained();
    else if (isDrained && this.#state === "idle") this.#next();
  }

  onEnd(): void {
    this.#hasEnded = true;
    if (this.#state === "tunnel") this.#tunnel?.ended();
    else if (this.#state === "busy") this.#endWhileBusy();
    // Not a reset: the last response may still be on its way.
    else if (!this.#gate.hasHeld) this.#socket.end();
  }

  onClose(isReset: boolean): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.outlet.discard();
    this.#context.wheel.remove(this);
    this.#context.closed(this);
    this.#tunnel?.closed(isReset);
    const exchange = this.#exchange;
    if (exchange === null || exchange.isDone) return;
    const error = exchange.error ?? new GatewayError("client_closed", "The client closed the connection.");
    this.#writer?.source.cancel();
    this.#body?.fail(error);
    exchange.gone(error);
    this.#finish(exchange);
  }

  override fire(): void {
    if (this.#state === "head") this.refuseConnection(new GatewayError("request_timeout", "The head took too long."));
    else if (this.#state === "busy" && this.#body !== null && !this.#body.isComplete && this.#writer === null) {
      this.#body.fail(new GatewayError("request_timeout", "The body made no progress."));
    } else if (this.#state === "idle" || (this.#state === "lingering" && !this.outlet.isBlocked)) {
      // Not a reset: what the kernel still holds for a slow reader would be lost.
      this.#socket.end();
    } else this.terminate(new GatewayError("client_closed", "The client took nothing of the response for too long."));
  }

  // Requests

  #dataWhileBusy(bytes: Buffer): void {
    if (this.#body === null || this.#body.isComplete) {
      this.#gate.hold(bytes);
      return;
    }
    if (this.#writer === null) this.armIdle();
    const rest = this.#body.feed(bytes);
    if (rest !== null && rest.length > 0) this.#gate.hold(asBuffer(rest));
  }

  /** Reads requests from bytes until one of them is under way, or there is no whole head. */
  #consume(bytes: Buffer, isOwn: boolean): void {
    let rest = bytes;
    this.#isConsuming = true;
    while (rest.length > 0 && this.#isReady && this.#gate.takeTurn()) {
      const head = this.#readHead(rest);
      rest = head === null ? NOTHING : this.#begin(head, this.#reader.rest);
    }
    this.#isConsuming = false;
    if (this.#hasEnded && rest.length === 0 && this.#state !== "busy") this.#linger();
    if (rest.length === 0 || (this.#state !== "busy" && this.#state !== "idle")) return;
    this.#gate.hold(rest, isOwn);
    if (this.#state !== "idle" || this.outlet.isBlocked) return;
    this.#gate.giveWay(() => {
      if (this.#state === "idle") this.#next();
    });
  }

  /** A client that does not read its responses gets no more of them made. */
  get #isReady(): boolean {
    return (this.#state === "idle" || this.#state === "head") && !this.outlet.isBlocked;
  }

  #readHead(bytes: Buffer): ParsedRequest | null {
    const { limits, wheel } = this.#context;
    try {
      const head = this.#reader.read(bytes, limits);
      if (head !== null || !this.#reader.hasPartial) return head;
    } catch (error) {
      this.refuseConnection(toGatewayError(error));
      return null;
    }
    // The first head's time runs from the connection's first moment, every later one's from its first byte.
    if (this.#state === "idle" && this.#served > 0) wheel.arm(this, limits.headerTimeoutMs);
    this.#state = "head";
    return null;
  }

  /** Begins an exchange; returns what follows its request. */
  #begin(head: ParsedRequest, rest: Buffer): Buffer {
    const { wheel, limits, hooks } = this.#context;
    this.#state = "busy";
    this.#served++;
    this.#closesAfter = !head.keepsAlive;
    wheel.disarm(this);
    const hasBody = head.isChunked || head.contentLength > 0;
    const body = hasBody ? new RequestBody(this, head.isChunked ? null : head.contentLength, limits) : null;
    const exchange = makeExchange(head, { context: this.#context, client: this.#client, responder: this, body });
    this.#exchange = exchange;
    this.#body = body;
    if (body === null) {
      exchange.requestEndedAt = exchange.startedAt;
      hooks.onRequest(exchange);
      return rest;
    }
    body.exchange = exchange;
    body.pace = uploadPace(this.#context, exchange, (error) => body.fail(error));
    this.armIdle();
    if (rest.length > 0) body.prefetch(rest);
    hooks.onRequest(exchange);
    const left = body.settle();
    return left === null ? NOTHING : asBuffer(left);
  }

  /** Answers what never became an exchange, and closes: where a next request would begin is not known. */
  refuseConnection(error: GatewayError): void {
    this.#context.wheel.disarm(this);
    this.outlet.text(refuseUnread(error, this.#context, { client: this.#client, line: this.#reader.line }));
    this.#linger();
  }

  // The body of the request

  setBodyPaused(isPaused: boolean): void {
    if (isPaused === this.#gate.isBodyHeld) return;
    this.#gate.set("body", isPaused);
    // Who does not read cannot blame the client for silence.
    if (isPaused) this.#context.wheel.disarm(this);
    else if (this.#body !== null && !this.#body.isComplete && this.#writer === null) this.armIdle();
  }

  sendContinue(): void {
    if (this.#exchange !== null) this.inform(this.#exchange, CONTINUE);
  }

  bodyEnded(): void {
    if (this.#exchange !== null) this.#exchange.requestEndedAt = now();
    if (this.#writer === null) this.#context.wheel.disarm(this);
  }

  bodyFailed(error: GatewayError): void {
    this.#closesAfter = true;
    this.#exchange?.refuse(error);
  }

  #endWhileBusy(): void {
    if (this.#body !== null && !this.#body.isComplete) {
      this.#body.fail(new GatewayError("bad_request", "The request ended before its body was complete."));
      return;
    }
    // A half-closed client still reads, one that left does not: an interim response tells them apart, for only the
    // latter resets the connection. Nothing of the kind fits once the response has begun; its own bytes will tell.
    if (this.#exchange?.isAnswered === false) this.sendContinue();
  }

  // Responses

  inform(exchange: Exchange, head: ResponseHead): void {
    if (exchange === this.#exchange && exchange.minor === 1) this.outlet.text(interimText(head));
  }

  respond(exchange: Exchange, head: ResponseHead, body: Body): void {
    if (exchange !== this.#exchange || this.#state === "closed") return;
    exchange.isAnswered = true;
    exchange.status = head.status;
    if (head.status === 101 && body instanceof Upgrade) this.#switch(exchange, head, body);
    else if (head.status === 101) this.responseBroken(new GatewayError("internal", "A 101 with nothing to switch to."));
    else if (body === null || body instanceof Uint8Array) this.#respondWhole(exchange, head, body);
    else this.#respondStream(exchange, head, body);
  }

  #respondWhole(exchange: Exchange, head: ResponseHead, body: Uint8Array | null): void {
    const delimiter = responseDelimiter(exchange, head.status, body?.length ?? 0);
    const length = body === null && delimiter === "none" ? toldLength(head) : (body?.length ?? 0);
    this.outlet.text(responseText(exchange, head, this.#framing(delimiter, length)));
    if (body !== null && delimiter !== "none") {
      this.outlet.bytes(body);
      exchange.bytesSent += body.length;
    }
    this.#finish(exchange);
  }

  #respondStream(exchange: Exchange, head: ResponseHead, source: Exclude<Body, Uint8Array | null>): void {
    const delimiter = responseDelimiter(exchange, head.status, source.length);
    this.outlet.text(responseText(exchange, head, this.#framing(delimiter, source.length)));
    if (delimiter === "none") {
      source.cancel();
      this.#finish(exchange);
      return;
    }
    this.#writer = new ResponseWriter(this, exchange, source, delimiter);
    source.pipe(this.#writer);
  }

  /** No further request is read: one said so, or the client has ended and all that it sent before is served. */
  get #isLast(): boolean {
    return this.#closesAfter || (this.#hasEnded && !this.#gate.hasHeld && !this.#isConsuming);
  }

  #framing(delimiter: ReturnType<typeof responseDelimiter>, length: number | null) {
    const isRead = this.#body === null || this.#body.isComplete;
    const keepsAlive = isRead && delimiter !== "close" && !this.#isLast && !this.#context.isDraining;
    if (!keepsAlive) this.#closesAfter = true;
    return { delimiter, length, keepsAlive, own: this.#context.own };
  }

  refuse(exchange: Exchange, error: GatewayError): void {
    if (exchange !== this.#exchange) return;
    exchange.error ??= error;
    if (exchange.isAnswered) {
      this.responseBroken(error);
      return;
    }
    const { head, body } = refusalOf(exchange, error);
    exchange.respond(head, body);
  }

  armIdle(): void {
    this.#context.wheel.arm(this, this.#context.limits.idleTimeoutMs);
  }

  responseEnded(): void {
    if (this.#exchange !== null) this.#finish(this.#exchange);
  }

  responseBroken(error: GatewayError): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    exchange.error ??= error;
    const isDelimited = this.#writer !== null && this.#writer.delimiter !== "close";
    this.#writer?.source.cancel();
    exchange.gone(error);
    this.#closesAfter = true;
    // What is delimited is seen to be cut short; what only a close would end has to be reset.
    if (isDelimited) this.#finish(exchange);
    else this.terminate();
  }

  #finish(exchange: Exchange): void {
    if (exchange.isDone) return;
    exchange.isDone = true;
    exchange.endedAt = now();
    this.#writer = null;
    this.#exchange = null;
    const isRead = this.#body === null || this.#body.isComplete;
    if (!isRead) this.#body?.cancel();
    this.#body = null;
    this.#context.hooks.onDone(exchange);
    if (this.#state === "closed" || this.#state === "tunnel") return;
    if (!isRead || this.#isLast) this.#linger();
    else this.#next();
  }

  #next(): void {
    this.#state = "idle";
    this.#idleAt = now();
    this.armIdle();
    this.#gate.open();
    if (this.#isConsuming || this.outlet.isBlocked) return;
    const held = this.#gate.takeHeld();
    if (held !== null) this.#consume(held, true);
  }

  /** Says all there is to say, then waits a little for the client to close. */
  #linger(): void {
    this.#state = "lingering";
    this.#lingering ??= new Lingering(this.#lent);
    this.#lingering.begin(this.#hasEnded);
  }

  /** Nothing to do at once: each response says `Connection: close` from now on. */
  drain(): void {}

  /** Closes between requests; while one is under way it is finished first. */
  close(): void {
    if (this.#state === "idle") this.#socket.end();
    else this.#closesAfter = true;
  }

  get heldBytes(): number {
    return this.outlet.heldBytes;
  }

  closeIdle(since: number): void {
    // What has asked for nothing yet may have, unread: the time for its head bounds it.
    if (this.#state === "idle" && this.#served > 0 && this.#idleAt <= since) this.#socket.end();
  }

  goAway(): void {
    this.#tunnel?.goAway();
  }

  terminate(cause?: GatewayError): void {
    // Whoever reads the log is told that it was not the client who broke off.
    if (cause !== undefined && this.#exchange !== null) this.#exchange.error ??= cause;
    if (this.#tunnel !== null) this.#tunnel.terminate();
    else this.#socket.terminate();
  }

  #switch(exchange: Exchange, head: ResponseHead, body: Upgrade): void {
    const tunnel = new DownstreamTunnel(this.#lent);
    const first = this.#gate.takeHeld();
    this.outlet.text(interimText(head, this.#context.own));
    this.#state = "tunnel";
    this.#tunnel = tunnel;
    tunnel.open({ exchange, upgrade: body, first, onClosed: () => this.#finish(exchange) });
    // A client that sends no more told so while it waited for the switch.
    if (this.#hasEnded) tunnel.ended();
  }

  get #lent(): LentConnection {
    return { socket: this.#socket, outlet: this.outlet, gate: this.#gate, timer: this, context: this.#context };
  }
}
