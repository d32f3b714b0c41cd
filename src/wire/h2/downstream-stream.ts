import { GatewayError, problemBody, toGatewayError } from "../../errors.ts";
import type { BodySink, BodySource } from "../body.ts";
import { now } from "../event.ts";
import type { Body, ClientInfo, Exchange, Responder, ResponseHead } from "../exchange.ts";
import type { HeaderList } from "../header-list.ts";
import type { ListenerContext } from "../listener-context.ts";
import { makeExchange } from "../origin.ts";
import type { ParsedRequest } from "../parse-request.ts";
import { isBodiless } from "../parse-response.ts";
import { problemHead, refusalOf } from "../problem.ts";
import { CONTINUE, toldLength } from "../response-text.ts";
import { openTunnel, Upgrade } from "../upgrade.ts";
import { uploadPace } from "../upload-pace.ts";
import { websocketProof } from "../websocket-proof.ts";
import { readRequest } from "./downstream-head.ts";
import type { ResponseHeads } from "./downstream-response.ts";
import { StreamTunnelEnd } from "./downstream-tunnel.ts";
import { H2_CODE } from "./frame.ts";
import { H2Stream, type StreamBreak, type StreamCarrier } from "./stream.ts";
import { StreamBody, type StreamBodyOwner } from "./stream-body.ts";
import type { FieldSection } from "./stream-fields.ts";

/** So long a client that has its response already may take for the rest of its request. */
const PART_MS = 1000;

/** What a client's streams share. */
export interface DownstreamParts {
  readonly context: ListenerContext<never>;
  readonly client: ClientInfo;
  readonly heads: ResponseHeads;
}

/** One request of a client's and its response. */
export class DownstreamStream extends H2Stream implements Responder, StreamBodyOwner, BodySink {
  readonly #parts: DownstreamParts;
  #exchange: Exchange | null = null;
  #body: StreamBody | null = null;
  #source: BodySource | null = null;
  #tunnelEnd: StreamTunnelEnd | null = null;
  /** Bytes of the response that were announced and did not come yet; -1 when none were. */
  #left = -1;

  constructor(carrier: StreamCarrier, parts: DownstreamParts) {
    super(carrier);
    this.#parts = parts;
  }

  /** Ends a WebSocket by its closing handshake; everything else goes on. */
  goAway(): void {
    this.#tunnelEnd?.tunnel?.goAway();
  }

  /** Tells the log why the gateway is about to break the connection off. */
  blame(cause: GatewayError): void {
    if (this.#exchange !== null) this.#exchange.error ??= cause;
  }

  // What the client says

  headCame(section: FieldSection): void {
    const { context, client } = this.#parts;
    const fault = section.requestFault;
    let head: ParsedRequest;
    try {
      if (fault !== null) throw new GatewayError("bad_request", fault);
      head = readRequest(section, { limits: context.limits, isTrusted: client.isTrusted });
      if (this.isRemoteEnded && head.contentLength > 0) {
        throw new GatewayError("bad_request", "The request ends before its Content-Length.");
      }
    } catch (error) {
      this.#refuseHead(section, toGatewayError(error), fault !== null);
      return;
    }
    this.#begin(head);
  }

  #begin(head: ParsedRequest): void {
    const { context, client } = this.#parts;
    const isTunnel = head.upgrade !== null;
    const hasBody = !this.isRemoteEnded && !isTunnel && head.contentLength !== 0;
    this.expectedBytes = head.contentLength;
    const body = hasBody ? new StreamBody(this, this, head.contentLength < 0 ? null : head.contentLength) : null;
    const exchange = makeExchange(head, { context, client, responder: this, body });
    this.#exchange = exchange;
    this.#body = body;
    if (isTunnel) this.#tunnelEnd = new StreamTunnelEnd(this);
    if (body === null) exchange.requestEndedAt = exchange.startedAt;
    else {
      body.expectsContinue = exchange.expectsContinue;
      const isBlocked = () => this.connection?.isSpent === true;
      const parts = { wheel: context.wheel, limits: context.limits, isBlocked };
      body.pace = uploadPace(parts, exchange, (error) => this.#bodyFailed(error));
      this.#armIdle();
    }
    context.hooks.onRequest(exchange);
  }

  /** Answers what never became an exchange; what is malformed as HTTP/2 is reset (RFC 9113 8.1.1). */
  #refuseHead(section: FieldSection, error: GatewayError, isMalformed: boolean): void {
    const { context, client } = this.#parts;
    const id = context.newId();
    const body = isMalformed ? "" : problemBody(error, { id });
    const line = `${section.method ?? ""} ${section.path ?? ""} HTTP/2.0`;
    context.hooks.onRefused({ id, client, listener: context.name, error, line, bytesSent: body.length });
    if (isMalformed) {
      this.carrier.resetMalformed(this);
      return;
    }
    const bytes = Buffer.from(body);
    const facts = { length: bytes.length, own: context.own };
    this.carrier.sendBlock(this, this.#parts.heads.final(problemHead(error), facts), false);
    this.carrier.sendData(this, bytes, true);
  }

  dataCame(bytes: Uint8Array): void {
    if (this.#tunnelEnd !== null) {
      this.#tunnelEnd.dataCame(bytes);
      return;
    }
    const exchange = this.#exchange;
    const body = this.#body;
    if (exchange === null || body === null) {
      this.carrier.credit(this, bytes.length);
      return;
    }
    exchange.bytesReceived += bytes.length;
    const { bodyBytes } = this.#parts.context.limits;
    if (bodyBytes !== null && exchange.bytesReceived > bodyBytes) {
      this.carrier.credit(this, bytes.length);
      this.#bodyFailed(new GatewayError("payload_too_large", `The body is over ${bodyBytes} bytes.`));
      return;
    }
    if (this.#source === null && !body.isPaused) this.#armIdle();
    body.feed(bytes);
  }

  endCame(trailers: HeaderList | null): void {
    if (this.#tunnelEnd !== null) {
      this.#tunnelEnd.endCame();
      return;
    }
    if (this.#exchange !== null && this.#body !== null) this.#exchange.requestEndedAt = now();
    if (this.#source === null) this.carrier.wheel.disarm(this);
    this.#body?.finish(trailers);
  }

  broken(cause: StreamBreak): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    const error = exchange.error ?? breakError(cause);
    exchange.error = error;
    const tunnel = this.#tunnelEnd?.tunnel ?? null;
    if (tunnel !== null && this.#tunnelEnd !== null) {
      tunnel.closed(this.#tunnelEnd, true);
      return;
    }
    this.#source?.cancel();
    this.#body?.fail(error);
    exchange.gone(error);
    this.#finish(exchange);
  }

  override fire(): void {
    if (this.isSendBlocked) {
      // It did not cancel: whoever reads the log is told that we did, and why.
      const slow = new GatewayError("client_closed", "The client took nothing of the response for too long.");
      if (this.#exchange !== null) this.#exchange.error ??= slow;
      this.carrier.reset(this, H2_CODE.cancel);
      this.broken({ reason: "reset", code: H2_CODE.cancel });
    } else if (this.#exchange === null) this.carrier.reset(this, H2_CODE.no_error);
    else if (this.#body !== null && !this.#body.isComplete && this.#source === null) {
      this.#bodyFailed(new GatewayError("request_timeout", "The body made no progress."));
    }
  }

  // The body of the request

  sendContinue(): void {
    this.#exchange?.inform(CONTINUE);
  }

  bodyCancelled(): void {}

  bodyPaused(isPaused: boolean): void {
    if (this.#source !== null) return;
    // Who does not read cannot blame the client for silence.
    if (isPaused) this.carrier.wheel.disarm(this);
    else if (this.#body !== null && !this.#body.isComplete) this.#armIdle();
  }

  #bodyFailed(error: GatewayError): void {
    this.#body?.fail(error);
    this.#exchange?.refuse(error);
  }

  // The response

  inform(exchange: Exchange, head: ResponseHead): void {
    if (exchange === this.#exchange) this.carrier.sendBlock(this, this.#parts.heads.interim(head), false);
  }

  respond(exchange: Exchange, head: ResponseHead, body: Body): void {
    if (exchange !== this.#exchange || this.isClosed) return;
    exchange.isAnswered = true;
    exchange.status = head.status;
    this.carrier.wheel.disarm(this);
    if (head.status === 101) this.#switch(exchange, head, body);
    else if (body === null || body instanceof Uint8Array) this.#respondWhole(exchange, head, body);
    else this.#respondStream(exchange, head, body);
  }

  #respondWhole(exchange: Exchange, head: ResponseHead, body: Uint8Array | null): void {
    const hasNone = isBodiless(head.status, exchange.method);
    if (body === null || hasNone) {
      const told = body === null ? toldLength(head) : body.length;
      this.#sendHead(head, hasNone || told === 0 ? told : null, true);
      return;
    }
    this.#sendHead(head, body.length, body.length === 0);
    exchange.bytesSent += body.length;
    this.carrier.sendData(this, body, true);
  }

  #respondStream(exchange: Exchange, head: ResponseHead, source: BodySource): void {
    if (isBodiless(head.status, exchange.method)) {
      source.cancel();
      this.#sendHead(head, source.length, true);
      return;
    }
    this.#left = source.length ?? -1;
    this.#source = source;
    this.#sendHead(head, source.length, false);
    source.pipe(this);
  }

  #sendHead(head: ResponseHead, length: number | null, isEnd: boolean): void {
    const { heads, context } = this.#parts;
    const { status } = head;
    const told = status === 204 || status < 200 ? null : length;
    this.carrier.sendBlock(this, heads.final(head, { length: told, own: context.own }), isEnd);
  }

  write(bytes: Uint8Array): boolean {
    const exchange = this.#exchange;
    if (exchange === null || exchange.isDone) return true;
    exchange.bytesSent += bytes.length;
    if (this.#left >= 0) {
      this.#left -= bytes.length;
      if (this.#left < 0) {
        this.#responseBroken(exchange, new GatewayError("internal", "The response is longer than its Content-Length."));
        return true;
      }
    }
    return this.carrier.sendData(this, bytes, false);
  }

  end(trailers: HeaderList | null): void {
    if (this.#left > 0) {
      this.fail(new GatewayError("upstream_reset", "The response ended before its Content-Length."));
      return;
    }
    this.#source = null;
    this.carrier.sendEnd(this, trailers === null || trailers.size === 0 ? null : trailers);
  }

  fail(error: GatewayError): void {
    const exchange = this.#exchange;
    if (exchange !== null && !exchange.isDone) this.#responseBroken(exchange, error);
  }

  refuse(exchange: Exchange, error: GatewayError): void {
    if (exchange !== this.#exchange || this.isClosed) return;
    exchange.error ??= error;
    if (exchange.isAnswered) {
      this.#responseBroken(exchange, error);
      return;
    }
    const { head, body } = refusalOf(exchange, error);
    exchange.respond(head, body);
  }

  sendReady(): void {
    this.carrier.wheel.disarm(this);
    if (this.#tunnelEnd !== null) this.#tunnelEnd.tunnel?.drained(this.#tunnelEnd);
    else this.#source?.resume();
  }

  sendWaits(): void {
    // A tunnel has a time of its own.
    if (this.#tunnelEnd === null) this.#armIdle();
  }

  sendEnded(): void {
    const exchange = this.#exchange;
    if (exchange !== null && this.#tunnelEnd?.tunnel == null) this.#finish(exchange);
    else if (exchange === null) this.#part();
  }

  #responseBroken(exchange: Exchange, error: GatewayError): void {
    exchange.error ??= error;
    this.#source?.cancel();
    exchange.gone(error);
    this.carrier.reset(this, H2_CODE.internal_error);
    this.#finish(exchange);
  }

  #finish(exchange: Exchange): void {
    if (exchange.isDone) return;
    exchange.isDone = true;
    exchange.endedAt = now();
    this.#exchange = null;
    this.#source = null;
    const body = this.#body;
    this.#body = null;
    if (body !== null && !body.isComplete) body.cancel();
    this.#tunnelEnd?.discard();
    this.carrier.wheel.disarm(this);
    this.#part();
    this.#parts.context.hooks.onDone(exchange);
  }

  /**
   * The client need not send the rest (RFC 9113 8.1). Some clients take being told so for a failure: what is on its
   * way already, or may be, is waited for instead.
   */
  #part(): void {
    if (this.isClosed || this.isRemoteEnded) return;
    this.isIgnored = true;
    const isComing = this.expectedBytes >= 0 && this.expectedBytes <= this.receiveWindow;
    if (isComing) this.carrier.wheel.arm(this, PART_MS);
    else this.carrier.reset(this, H2_CODE.no_error);
  }

  #armIdle(): void {
    const { wheel, limits } = this.#parts.context;
    wheel.arm(this, limits.idleTimeoutMs);
  }

  /** The upstream speaks the WebSocket's protocol from now on, and so does the stream (RFC 8441 5). */
  #switch(exchange: Exchange, head: ResponseHead, body: Body): void {
    const end = this.#tunnelEnd;
    if (!(body instanceof Upgrade) || end === null) {
      this.#responseBroken(exchange, new GatewayError("internal", "A 101 without a connection to switch to."));
      return;
    }
    // The client has sent no key, and checks no proof: the gateway does, in its place.
    if (head.headers.first("sec-websocket-accept") !== websocketProof(exchange)) {
      body.cancel();
      exchange.isAnswered = false;
      exchange.refuse(
        new GatewayError("upstream_protocol", "The upstream did not accept the WebSocket that was asked for."),
      );
      return;
    }
    const headers = head.headers.copy();
    headers.delete("sec-websocket-accept");
    this.#sendHead({ status: 200, reason: "", headers }, null, false);
    exchange.status = 200;
    openTunnel(end, body, { exchange, context: this.#parts.context, onClosed: () => this.#finish(exchange) });
    end.begin();
  }
}

function breakError({ reason }: StreamBreak): GatewayError {
  if (reason === "protocol") return new GatewayError("bad_request", "The request broke the rules of HTTP/2.");
  const how = reason === "closed" ? "closed the connection" : "cancelled the request";
  return new GatewayError("client_closed", `The client ${how}.`);
}
