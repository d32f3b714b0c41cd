import { GatewayError, problemBody, toGatewayError } from "../errors.ts";
import { now } from "./event.ts";
import type { ClientInfo } from "./exchange.ts";
import { isGrpc } from "./grpc.ts";
import { Http3Call } from "./http3-call.ts";
import { Http3Body, http3Head } from "./http3-request.ts";
import type { ListenerContext } from "./listener-context.ts";
import { makeExchange } from "./origin.ts";
import type { ParsedRequest } from "./parse-request.ts";
import { problemHead } from "./problem.ts";

export type Http3Settings = Pick<
  ListenerContext<never>,
  "name" | "limits" | "isTrusted" | "own" | "hooks" | "newId" | "wheel"
>;

export interface Http3Options extends Http3Settings {
  readonly address: string;
  /** UDP. */
  readonly port: number;
  readonly certPem: string;
  readonly keyPem: string;
  /** Other processes serve the same port. */
  readonly isShared: boolean;
}

/** The runtime's HTTP/3 on one UDP port. */
export interface Http3Server {
  /** Puts other settings in force for requests to come. */
  update(settings: Http3Settings): void;
  /** Refuses what comes from now on; resolves when nothing is under way any more. */
  drain(): Promise<void>;
  /** Closes at once. Clients are not told: the runtime sends nothing. */
  close(): void;
}

/** The runtime's own bounds, within which ours count. */
const IDLE_SECONDS = { least: 8, most: 255 };

interface State {
  settings: Http3Settings;
  inFlight: number;
  isDraining: boolean;
  onIdle: (() => void) | null;
}

/** Serves HTTP/3. Throws what the runtime throws when the port is taken or the certificate is none. */
export function createHttp3Server(options: Http3Options): Http3Server {
  const state: State = { settings: options, inFlight: 0, isDraining: false, onIdle: null };
  const { least, most } = IDLE_SECONDS;
  const server = Bun.serve({
    hostname: options.address,
    port: options.port,
    http1: false,
    http3: true,
    reusePort: options.isShared,
    tls: { cert: options.certPem, key: options.keyPem },
    development: false,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    idleTimeout: Math.min(most, Math.max(least, Math.ceil(options.limits.idleTimeoutMs / 1000))),
    fetch(request, self) {
      const from = self.requestIP(request);
      return serve(request, clientOf(from, options.port, state.settings), state);
    },
    error: () => new Response(null, { status: 500 }),
  });
  return {
    update(settings) {
      state.settings = settings;
    },
    drain() {
      state.isDraining = true;
      return new Promise((resolve) => {
        if (state.inFlight === 0) resolve();
        else state.onIdle = resolve;
      });
    },
    close() {
      void server.stop(true);
    },
  };
}

function clientOf(
  from: { readonly address: string; readonly port: number } | null,
  localPort: number,
  { isTrusted }: Http3Settings,
): ClientInfo {
  const peer = (from?.address ?? "").replace(/^::ffff:(?=\d+\.)/, "");
  // The runtime tells no more of the handshake; QUIC is TLS 1.3.
  const tls = { version: "TLSv1.3", sni: null, alpn: "h3", certificate: null } as const;
  return { address: peer, peer, port: from?.port ?? 0, localPort, isTrusted: isTrusted(peer), tls };
}

function serve(request: Request, client: ClientInfo, state: State): Promise<Response> | Response {
  const { settings } = state;
  let head: ParsedRequest;
  try {
    head = http3Head(request, settings.limits);
  } catch (error) {
    return refused(toGatewayError(error), request, { client, settings });
  }
  const call = new Http3Call(settings, () => {
    if (--state.inFlight === 0) state.onIdle?.();
  });
  const exchange = makeExchange(head, {
    context: { ...settings, scheme: "https" },
    client,
    responder: call,
    body: null,
  });
  state.inFlight++;
  if (request.body === null) exchange.requestEndedAt = now();
  else {
    const length = head.contentLength < 0 ? null : head.contentLength;
    exchange.body = new Http3Body(request.body, exchange, { length, ...settings });
  }
  exchange.error ??= refusalFor(head, state);
  return call.begin(exchange, request.signal);
}

/** Why a request cannot be served here, or null. */
function refusalFor(head: ParsedRequest, { isDraining }: State): GatewayError | null {
  if (isDraining) return new GatewayError("draining", "The gateway is shutting down.", { retryAfter: 1 });
  if (isGrpc(head.headers)) return new GatewayError("not_implemented", "gRPC is not served over HTTP/3.");
  return null;
}

/** Answers what never became an exchange. */
function refused(
  error: GatewayError,
  { method, url }: Request,
  { client, settings }: { readonly client: ClientInfo; readonly settings: Http3Settings },
): Response {
  const id = settings.newId();
  const body = problemBody(error, { id });
  const line = `${method} ${url.replace(/^https:\/\/[^/]*/, "")} HTTP/3.0`;
  settings.hooks.onRefused({ id, client, listener: settings.name, error, line, bytesSent: body.length });
  const { status, headers } = problemHead(error);
  const result = new Response(body, { status });
  headers.forEach((name, value) => void result.headers.set(name, value));
  for (const [name, value] of settings.own?.pairs ?? []) result.headers.set(name, value);
  return result;
}
