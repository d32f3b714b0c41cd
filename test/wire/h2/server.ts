import type { ClientInfo, Exchange } from "../../../src/wire/exchange.ts";
import { H2Downstream } from "../../../src/wire/h2/downstream-session.ts";
import type { ListenerContext, Refusal, WireLimits } from "../../../src/wire/listener-context.ts";
import { socketEvents } from "../../../src/wire/socket-events.ts";
import { TimerWheel } from "../../../src/wire/timer-wheel.ts";

export const LIMITS: WireLimits = {
  headerBytes: 16_384,
  headerCount: 100,
  uriBytes: 8192,
  bodyBytes: null,
  trailerBytes: 8192,
  connections: 1000,
  connectionsPerClient: null,
  headerTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  bodyMinRate: null,
};

export interface H2ServerOptions {
  readonly onRequest: (exchange: Exchange) => void;
  readonly limits?: Partial<WireLimits>;
  readonly isTrusted?: boolean;
  readonly wheel?: TimerWheel;
}

/** A server that speaks HTTP/2 in the clear and nothing else, and what it has seen. */
export interface H2Server extends Disposable {
  readonly port: number;
  readonly wheel: TimerWheel;
  readonly connections: ReadonlySet<H2Downstream>;
  /** Exchanges that ended, in order. */
  readonly done: readonly Exchange[];
  readonly refused: readonly Refusal[];
  readonly context: ListenerContext<H2Downstream>;
  /** Resolves when so many exchanges have ended. */
  ended(count: number): Promise<void>;
}

/** Listens on any free port. The caller disposes it. */
export function serveH2(options: H2ServerOptions): H2Server {
  const connections = new Set<H2Downstream>();
  const done: Exchange[] = [];
  const refused: Refusal[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const wheel = options.wheel ?? new TimerWheel();
  let ids = 0;
  const context: ListenerContext<H2Downstream> = {
    name: "h2",
    scheme: "http",
    limits: { ...LIMITS, ...options.limits },
    isTrusted: () => options.isTrusted ?? false,
    wheel,
    newId: () => `id-${++ids}`,
    own: null,
    isDraining: false,
    isGoing: false,
    closed: (connection) => connections.delete(connection),
    hooks: {
      onRequest(exchange) {
        if (exchange.error !== null) exchange.refuse(exchange.error);
        else options.onRequest(exchange);
      },
      onDone(exchange) {
        done.push(exchange);
        for (const one of waiting) if (done.length >= one.count) one.resolve();
      },
      onRefused: (refusal) => refused.push(refusal),
      onConnection() {},
      onHandshake() {},
      onPassage() {},
      onPassageDone() {},
    },
  };
  const server = Bun.listen<H2Downstream>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      ...socketEvents<H2Downstream>(),
      open(socket) {
        socket.setNoDelay(true);
        const connection = new H2Downstream(socket, context, clientOf(socket.remotePort, options.isTrusted ?? false));
        socket.data = connection;
        connections.add(connection);
      },
    },
  });
  return {
    port: server.port,
    wheel,
    connections,
    done,
    refused,
    context,
    ended: (count) =>
      new Promise((resolve) => {
        if (done.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    [Symbol.dispose]() {
      server.stop(true);
    },
  };
}

function clientOf(port: number, isTrusted: boolean): ClientInfo {
  return { address: "127.0.0.1", peer: "127.0.0.1", port, localPort: 0, isTrusted, tls: null };
}
