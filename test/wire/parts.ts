import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import type { AttemptHead } from "../../src/wire/attempt.ts";
import type { BodySink, BodySource } from "../../src/wire/body.ts";
import { type ClientInfo, Exchange, type Responder } from "../../src/wire/exchange.ts";
import type { HeaderList } from "../../src/wire/header-list.ts";
import { type HeadLimits, type ParsedRequest, parseRequest } from "../../src/wire/parse-request.ts";

/** The code of the GatewayError that a call throws, or null when it throws nothing. */
export function codeOf(call: () => unknown): ErrorCode | null {
  try {
    call();
    return null;
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
}

export const HEAD_LIMITS: HeadLimits = { headerBytes: 16_384, headerCount: 100, uriBytes: 8192 };

/** A head of these lines, parsed; the last empty line is not part of it. */
export function parsed(...lines: readonly string[]): ParsedRequest {
  return parseRequest(lines.join("\r\n"), HEAD_LIMITS);
}

export interface ExchangeParts {
  /** Request line and field lines. */
  readonly lines?: readonly string[];
  readonly client?: Partial<ClientInfo>;
  readonly body?: BodySource | null;
  readonly responder?: Partial<Responder>;
}

const SILENT: Responder = { respond() {}, inform() {}, refuse() {} };

/** The exchange of such a request, from 192.0.2.1; who answers it is told to nobody unless `responder` is given. */
export function exchangeOf(parts: ExchangeParts = {}): Exchange {
  const head = parsed(...(parts.lines ?? ["GET / HTTP/1.1", "Host: gw.test"]));
  const client = {
    address: "192.0.2.1",
    peer: "192.0.2.1",
    port: 40_000,
    localPort: 8080,
    isTrusted: false,
    tls: null,
  };
  return new Exchange(head, {
    id: "id-1",
    startedAt: performance.now(),
    scheme: "http",
    listener: "http",
    client: { ...client, ...parts.client },
    body: parts.body ?? null,
    upgrade: head.upgrade,
    expectsContinue: head.expectsContinue,
    responder: { ...SILENT, ...parts.responder },
  });
}

/** What the head of an attempt of that exchange is made from; the attempt has so long, 0 for ever. */
export function attemptOf(exchange: Exchange, responseMs = 0): AttemptHead {
  return { exchange, timeouts: { responseMs, idleMs: 0 }, authority: "endpoint.test:8080" };
}

/** What a sink was given. */
export class RecordingSink implements BodySink {
  readonly pieces: string[] = [];
  trailers: HeaderList | null = null;
  /** `end`, or the code of the failure; empty while neither was told. Each call is one entry. */
  readonly endings: string[] = [];
  /** What `write` answers. */
  takesMore = true;

  get text(): string {
    return this.pieces.join("");
  }

  write(bytes: Uint8Array): boolean {
    this.pieces.push(Buffer.from(bytes).toString("latin1"));
    return this.takesMore;
  }

  end(trailers: HeaderList | null): void {
    this.trailers = trailers;
    this.endings.push("end");
  }

  fail(error: GatewayError): void {
    this.endings.push(error.code);
  }
}
