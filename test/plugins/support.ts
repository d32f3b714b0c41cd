import type { MiddlewareHandler } from "hono";
import { type GatewayError, toGatewayError } from "../../src/errors.ts";
import { createMemoryLimits, type PluginLimits } from "../../src/limit/plugin-limits.ts";
import type { PluginDeps } from "../../src/plugin.ts";
import { linkChain } from "../../src/route/chain.ts";
import type { BodySink, BodySource } from "../../src/wire/body.ts";
import { type Body, Exchange, type Responder, type ResponseHead } from "../../src/wire/exchange.ts";
import { headerList } from "../../src/wire/header-list.ts";

/** What a plugin gets that is made for this route. */
export function depsFor(route: string, limits: PluginLimits = createMemoryLimits()): PluginDeps {
  return { route, limits, isShadow: false };
}

const ENCODER = new TextEncoder();

/** A body that gives one chunk for each turn of the event loop, as a socket would, and obeys back-pressure. */
export class ChunkSource implements BodySource {
  readonly length: number | null;
  isCancelled = false;
  delivered = 0;
  pipes = 0;
  readonly #chunks: readonly string[];
  readonly #error: GatewayError | null;
  #sink: BodySink | null = null;
  #isPaused = false;

  constructor(chunks: readonly string[], length: number | null = null, error: GatewayError | null = null) {
    this.#chunks = chunks;
    this.length = length;
    this.#error = error;
  }

  pipe(sink: BodySink): void {
    this.pipes++;
    this.#sink = sink;
    setImmediate(() => this.#deliver());
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    setImmediate(() => this.#deliver());
  }

  cancel(): void {
    this.isCancelled = true;
    this.#sink = null;
  }

  #deliver(): void {
    if (this.#isPaused || this.#sink === null) return;
    const chunk = this.#chunks[this.delivered];
    if (chunk === undefined) {
      if (this.#error === null) this.#sink.end(null);
      else this.#sink.fail(this.#error);
      return;
    }
    this.delivered++;
    const scratch = ENCODER.encode(chunk);
    if (this.#sink.write(scratch)) setImmediate(() => this.#deliver());
    else this.#isPaused = true;
    // As on the wire, the buffer is used again once the call is over.
    scratch.fill(0);
  }
}

/** What became of a request: the answer as it would stand on the wire. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: Headers;
  /** Names and values in order, as they would be written. */
  readonly lines: readonly string[];
  readonly text: string;
  readonly error: GatewayError | null;
  readonly body: Body;
}

/** Reads a body to its end, one chunk at a time. */
export async function readAll(body: Body): Promise<{ readonly text: string; readonly error: GatewayError | null }> {
  if (body === null || body instanceof Uint8Array)
    return { text: new TextDecoder().decode(body ?? undefined), error: null };
  const { promise, resolve } = Promise.withResolvers<{ text: string; error: GatewayError | null }>();
  const decoder = new TextDecoder();
  let text = "";
  body.pipe({
    write(bytes) {
      text += decoder.decode(bytes, { stream: true });
      setImmediate(() => body.resume());
      return false;
    },
    end: () => resolve({ text, error: null }),
    fail: (error) => resolve({ text, error }),
  });
  return promise;
}

/** Keeps what an exchange is answered with. */
export class Recorder implements Responder {
  readonly #answered = Promise.withResolvers<{ head: ResponseHead; body: Body }>();

  respond(exchange: Exchange, head: ResponseHead, body: Body): void {
    exchange.isAnswered = true;
    exchange.status = head.status;
    this.#answered.resolve({ head, body });
  }

  inform(): void {}

  refuse(exchange: Exchange, error: GatewayError): void {
    exchange.respond({ status: error.status, reason: "refused", headers: headerList([]) }, null);
  }

  /** The head, as soon as it is there, and the body that follows. */
  get answered(): Promise<{ head: ResponseHead; body: Body }> {
    return this.#answered.promise;
  }

  async answer(): Promise<Answer> {
    const { head, body } = await this.answered;
    const headers = new Headers();
    head.headers.forEach((name, value) => {
      headers.append(name, value);
    });
    const read = await readAll(body);
    return { status: head.status, reason: head.reason, headers, lines: head.headers.lines, body, ...read };
  }
}

export interface Ask {
  readonly method?: string;
  readonly target?: string;
  readonly authority?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: BodySource | null;
  readonly address?: string;
  readonly scheme?: "http" | "https";
}

/** An exchange as the wire makes it. */
export function makeExchange(ask: Ask, responder: Responder): Exchange {
  const { method = "GET", target = "/", authority = "shop.example.com", headers = [], body = null } = ask;
  const address = ask.address ?? "192.0.2.7";
  const fields = headerList([["Host", authority], ...headers]);
  return new Exchange(
    {
      method,
      target,
      minor: 1,
      protocol: "HTTP/1.1",
      host: authority.replace(/:\d+$/, ""),
      authority,
      headers: fields,
    },
    {
      id: "req-1",
      startedAt: 0,
      scheme: ask.scheme ?? "http",
      listener: "http",
      client: { address, peer: address, port: 5000, localPort: 8080, isTrusted: false, tls: null },
      body,
      upgrade: null,
      expectsContinue: false,
      responder,
    },
  );
}

/** What reached the service behind the chain. */
export interface Received {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly lines: readonly string[];
  readonly headers: Headers;
  readonly body: string;
  /** The very source that was forwarded. */
  readonly source: BodySource | null;
}

/** What the service answers. */
export interface Reply {
  readonly status?: number;
  readonly reason?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: BodySource;
  readonly error?: GatewayError;
}

export interface Run {
  readonly answer: Answer;
  readonly received: readonly Received[];
  readonly exchange: Exchange;
}

/** Runs middleware through the chain, with a service that reads the request and then answers. */
export async function runChain(
  middleware: readonly MiddlewareHandler[],
  ask: Ask & { readonly prepare?: (exchange: Exchange) => void } = {},
  reply: Reply = {},
): Promise<Run> {
  const recorder = new Recorder();
  const exchange = makeExchange(ask, recorder);
  ask.prepare?.(exchange);
  const received: Received[] = [];
  linkChain(middleware).serve(exchange, (forwarded, receiver) => {
    receive(forwarded).then(
      (one) => {
        received.push(one);
        const { status = 200, reason = "OK", headers = [], body = null } = reply;
        if (reply.error !== undefined) receiver.onFailure(forwarded, reply.error);
        else receiver.onResponse(forwarded, { head: { status, reason, headers: headerList(headers) }, body });
      },
      (thrown: unknown) => receiver.onFailure(forwarded, toGatewayError(thrown)),
    );
  });
  return { answer: await recorder.answer(), received, exchange };
}

async function receive(exchange: Exchange): Promise<Received> {
  const source = exchange.body;
  const { text, error } = await readAll(source);
  if (error !== null) throw error;
  const headers = new Headers();
  exchange.headers.forEach((name, value) => {
    headers.append(name, value);
  });
  return {
    method: exchange.upstreamMethod,
    target: exchange.upstreamTarget,
    authority: exchange.upstreamAuthority,
    lines: exchange.headers.lines.slice(),
    headers,
    body: text,
    source,
  };
}

/** The request that Hono gets of the same ask. */
export function askOf(ask: Ask, body: string | null): Request {
  const { method = "GET", target = "/", authority = "shop.example.com", headers = [] } = ask;
  const pairs: [string, string][] = [
    ["host", authority],
    ...headers.map(([name, value]): [string, string] => [name, value]),
  ];
  return new Request(`http://${authority}${target}`, { method, headers: pairs, ...(body === null ? {} : { body }) });
}
