import type { Socket, SocketHandler, TCPSocketListener } from "bun";
import { GatewayError } from "../errors.ts";
import type { AcceptGate } from "./accept-gate.ts";
import { type Acceptor, createAcceptor, type ListenAt } from "./acceptor.ts";
import { Downstream } from "./downstream.ts";
import { inEvent } from "./event.ts";
import type { ClientInfo } from "./exchange.ts";
import type { ListenerContext, ListenerHooks, WireLimits } from "./listener-context.ts";
import type { OwnFields } from "./own-fields.ts";
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
  /** Fields that stand in every response; null and left out for none. */
  readonly own?: OwnFields | null;
  /** Counts the connections of all listeners together: the limit on them is the gateway's. */
  readonly gate: AcceptGate;
}

export type ListenerSettings = Pick<ListenerOptions, "name" | "limits" | "isTrusted" | "own">;

export interface Listener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Puts another name, other limits and other fields in force, for connections, heads and responses to come. */
  update(settings: ListenerSettings): void;
  /** Responses say `Connection: close` from now on; connections are still accepted. */
  drain(): void;
  /** Accepts no more; open connections go on. */
  stopAccepting(): void;
  /** Accepts no more, closes idle connections; resolves when the last connection is gone. */
  stop(): Promise<void>;
  /** Ends WebSockets by their closing handshake, with 1001; everything else goes on. */
  goAway(): void;
  /** Closes everything at once. */
  terminate(): void;
}

/** Listens on one address. Throws what the runtime throws when the address is taken or forbidden. */
export function createListener(options: ListenerOptions): Listener {
  /** Open connections and their clients' addresses. */
  const connections = new Map<Downstream, string>();
  const turnedAway = new Set<Downstream>();
  const { gate } = options;
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
    own: options.own ?? null,
    isGoing: false,
    closed(connection) {
      if (turnedAway.delete(connection)) gate.turnedAway--;
      else gate.leave(connections.get(connection) ?? "");
      connections.delete(connection);
      gate.settle(context.limits.connections);
      options.hooks.onConnection("closed");
      if (connections.size === 0) onEmpty?.();
    },
  };
  const acceptor = listen(options, context, { connections, turnedAway });
  gate.add(acceptor);
  function stopAccepting(): void {
    gate.remove(acceptor);
    acceptor.stop();
  }
  return {
    get name() {
      return context.name;
    },
    address: options.address,
    port: acceptor.port,
    update({ name, limits, isTrusted, own }) {
      context.name = name;
      context.limits = limits;
      context.isTrusted = isTrusted;
      context.own = own ?? null;
    },
    drain() {
      context.isDraining = true;
    },
    stopAccepting,
    stop() {
      context.isDraining = true;
      stopAccepting();
      const gone = new Promise<void>((resolve) => {
        if (connections.size === 0) resolve();
        else onEmpty = resolve;
      });
      for (const connection of connections.keys()) connection.close();
      return gone;
    },
    goAway() {
      context.isGoing = true;
      for (const connection of connections.keys()) connection.goAway();
    },
    terminate() {
      // Resets first: stopping would end them cleanly, and a body that runs to the close would pass for whole.
      for (const connection of connections.keys()) connection.terminate();
      stopAccepting();
    },
  };
}

function listen(
  options: ListenerOptions,
  context: ListenerContext<Downstream>,
  { connections, turnedAway }: { readonly connections: Map<Downstream, string>; readonly turnedAway: Set<Downstream> },
): Acceptor {
  const { gate } = options;

  function accept(socket: Socket<Downstream>, client: ClientInfo): void {
    const { limits } = context;
    const reason = gate.enter(client.peer, limits.connections, limits.connectionsPerClient);
    if (reason !== null && !gate.canTurnAway) {
      dismiss(socket, client, reason);
      return;
    }
    const connection = new Downstream(socket, context, client);
    socket.data = connection;
    connections.set(connection, client.peer);
    socket.setNoDelay(true);
    context.hooks.onConnection("opened");
    if (reason === null) {
      gate.settle(limits.connections);
      return;
    }
    // It takes nobody's place while it is told why it cannot stay.
    turnedAway.add(connection);
    gate.turnedAway++;
    gate.leave(client.peer);
    context.hooks.onConnection(reason);
    gate.settle(limits.connections);
    connection.refuseConnection(new GatewayError("overloaded", "There are too many connections.", { retryAfter: 1 }));
  }

  /** So many are being told why they cannot stay that this one is not. */
  function dismiss(socket: Socket<Downstream>, client: ClientInfo, reason: "limit" | "client_limit"): void {
    gate.leave(client.peer);
    context.hooks.onConnection(reason);
    socket.terminate();
  }

  const handlers = {
    open(socket: Socket<Downstream>) {
      const client = clientOf(socket, context);
      if (client === null) socket.terminate();
      else inEvent(socket, () => accept(socket, client));
    },
    ...socketEvents<Downstream>(),
  };
  const { fd, address: hostname, port } = options;
  const at: ListenAt = fd === undefined || fd === null ? { hostname, port } : { fd };
  return createAcceptor((where) => bunListen(where, handlers), at);
}

function bunListen(at: ListenAt, handlers: SocketHandler<Downstream>): TCPSocketListener<Downstream> {
  // The types know no descriptor: the runtime accepts on it then, without address and port.
  return Bun.listen<Downstream>({ ...(at as Address), allowHalfOpen: true, socket: handlers });
}

interface Address {
  readonly hostname: string;
  readonly port: number;
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
