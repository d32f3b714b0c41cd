import type { Socket, TCPSocketListener } from "bun";
import { GatewayError } from "../errors.ts";
import { Downstream } from "./downstream.ts";
import { inEvent } from "./event.ts";
import type { ClientInfo } from "./exchange.ts";
import type { ListenerContext, ListenerHooks, WireLimits } from "./listener-context.ts";
import { socketEvents } from "./socket-events.ts";
import type { TimerWheel } from "./timer-wheel.ts";

export interface ListenerOptions {
  readonly name: string;
  readonly address: string;
  /** 0 for any free one. */
  readonly port: number;
  /**
   * A socket that listens at this address and port already, non-blocking; the listener closes it. Left out or null: it
   * opens its own. The port must then be the real one: the runtime does not tell it.
   */
  readonly fd?: number | null;
  readonly limits: WireLimits;
  readonly isTrusted: (address: string) => boolean;
  readonly wheel: TimerWheel;
  readonly newId: () => string;
  readonly hooks: ListenerHooks;
  /** Counts of all listeners together: the limit on connections is the gateway's. */
  readonly connections: ConnectionCounts;
}

/** Open connections, in total and by client address. */
export class ConnectionCounts {
  open = 0;
  readonly byAddress = new Map<string, number>();
}

export type ListenerSettings = Pick<ListenerOptions, "name" | "limits" | "isTrusted">;

export interface Listener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Puts another name and other limits in force, for connections and heads to come. */
  update(settings: ListenerSettings): void;
  /** Responses say `Connection: close` from now on; connections are still accepted. */
  drain(): void;
  /** Accepts no more; open connections go on. */
  stopAccepting(): void;
  /** Accepts no more, closes idle connections; resolves when the last connection is gone. */
  stop(): Promise<void>;
  /** Closes everything at once. */
  terminate(): void;
}

/** Listens on one address. Throws what the runtime throws when the address is taken or forbidden. */
export function createListener(options: ListenerOptions): Listener {
  /** Open connections and their clients' addresses. */
  const connections = new Map<Downstream, string>();
  const turnedAway = new Set<Downstream>();
  const { connections: counts } = options;
  let onEmpty: (() => void) | null = null;
  const context: ListenerContext<Downstream> = {
    name: options.name,
    scheme: "http",
    limits: options.limits,
    isTrusted: options.isTrusted,
    wheel: options.wheel,
    newId: options.newId,
    hooks: options.hooks,
    isDraining: false,
    closed(connection) {
      if (!turnedAway.delete(connection)) release(counts, connections.get(connection) ?? "");
      connections.delete(connection);
      options.hooks.onConnection("closed");
      if (connections.size === 0) onEmpty?.();
    },
  };
  const server = listen(options, context, { connections, turnedAway });
  return {
    get name() {
      return context.name;
    },
    address: options.address,
    port: ownsSocket(options) ? server.port : options.port,
    update({ name, limits, isTrusted }) {
      context.name = name;
      context.limits = limits;
      context.isTrusted = isTrusted;
    },
    drain() {
      context.isDraining = true;
    },
    stopAccepting() {
      server.stop();
    },
    stop() {
      context.isDraining = true;
      server.stop();
      const gone = new Promise<void>((resolve) => {
        if (connections.size === 0) resolve();
        else onEmpty = resolve;
      });
      for (const connection of connections.keys()) connection.close();
      return gone;
    },
    terminate() {
      // Resets first: stopping would end them cleanly, and a body that runs to the close would pass for whole.
      for (const connection of connections.keys()) connection.terminate();
      server.stop(true);
    },
  };
}

function ownsSocket({ fd }: ListenerOptions): boolean {
  return fd === undefined || fd === null;
}

function listen(
  options: ListenerOptions,
  context: ListenerContext<Downstream>,
  { connections, turnedAway }: { readonly connections: Map<Downstream, string>; readonly turnedAway: Set<Downstream> },
): TCPSocketListener<Downstream> {
  function accept(socket: Socket<Downstream>, client: ClientInfo): void {
    const reason = admit(options.connections, client.peer, context.limits);
    const connection = new Downstream(socket, context, client);
    socket.data = connection;
    connections.set(connection, client.peer);
    socket.setNoDelay(true);
    context.hooks.onConnection("opened");
    if (reason === null) return;
    // It takes nobody's place while it is told why it cannot stay.
    turnedAway.add(connection);
    release(options.connections, client.peer);
    context.hooks.onConnection(reason);
    connection.refuseConnection(new GatewayError("overloaded", "There are too many connections.", { retryAfter: 1 }));
  }

  return Bun.listen<Downstream>({
    hostname: options.address,
    port: options.port,
    // Undocumented: the runtime accepts on this descriptor then, and overlooks address and port.
    ...(ownsSocket(options) ? {} : { fd: options.fd }),
    allowHalfOpen: true,
    socket: {
      open(socket) {
        const client = clientOf(socket, context);
        if (client === null) socket.terminate();
        else inEvent(socket, () => accept(socket, client));
      },
      ...socketEvents<Downstream>(),
    },
  });
}

/** Who is at the other end; null when the connection was reset before it could be looked at. */
function clientOf(socket: Socket<Downstream>, context: ListenerContext<Downstream>): ClientInfo | null {
  // The types promise an address, but the runtime has none for a socket that is gone already.
  const address: string | undefined = socket.remoteAddress;
  if (address === undefined) return null;
  // An IPv4 client of a listener on `::` shows as `::ffff:1.2.3.4`.
  const peer = address.replace(/^::ffff:(?=\d+\.)/, "");
  const isTrusted = context.isTrusted(peer);
  return { address: peer, peer, port: socket.remotePort, localPort: socket.localPort, isTrusted, tls: null };
}

/** Counts a connection; tells why it may not stay, or null. */
function admit(counts: ConnectionCounts, address: string, limits: WireLimits): "limit" | "client_limit" | null {
  const own = (counts.byAddress.get(address) ?? 0) + 1;
  counts.byAddress.set(address, own);
  counts.open++;
  if (counts.open > limits.connections) return "limit";
  return own > (limits.connectionsPerClient ?? Number.POSITIVE_INFINITY) ? "client_limit" : null;
}

function release(counts: ConnectionCounts, address: string): void {
  counts.open--;
  const own = (counts.byAddress.get(address) ?? 1) - 1;
  if (own > 0) counts.byAddress.set(address, own);
  else counts.byAddress.delete(address);
}
