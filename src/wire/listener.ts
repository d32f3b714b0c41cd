import type { SocketHandler, TCPSocketListener } from "bun";
import { GatewayError } from "../errors.ts";
import type { AcceptGate } from "./accept-gate.ts";
import { type Acceptor, createAcceptor, type ListenAt } from "./acceptor.ts";
import { Connections } from "./connections.ts";
import { Downstream } from "./downstream.ts";
import { EntryContexts, type ListenerSettings } from "./entry-contexts.ts";
import { inEvent, now } from "./event.ts";
import type { ClientInfo } from "./exchange.ts";
import { type ConnectionSocket, socketOf } from "./handover.ts";
import { Intake, type IntakeHost } from "./intake.ts";
import type { ConnectionRefusal, ListenerContext, ListenerHooks, ServerConnection } from "./listener-context.ts";
import { type EntryTable, entryTable, type OpenEntry } from "./listener-entry.ts";
import { socketEvents } from "./socket-events.ts";
import type { TimerWheel } from "./timer-wheel.ts";

export interface ListenerOptions extends ListenerSettings {
  readonly address: string;
  /** 0 for any free one. */
  readonly port: number;
  /**
   * A socket that listens at this address and port already, non-blocking; the listener closes it. Left out or null: it
   * opens its own. The port must then be the real one: the runtime does not tell it.
   */
  readonly fd?: number | null;
  readonly wheel: TimerWheel;
  readonly newId: () => string;
  readonly hooks: ListenerHooks;
  /** Counts the connections of all listeners together: the limit on them is the gateway's. */
  readonly gate: AcceptGate;
}

/** One socket that is accepted on. */
export interface Listener {
  readonly address: string;
  readonly port: number;
  /**
   * Puts other entries in force for connections to come, and other limits for open ones as well. Connections of an
   * entry that is gone, or that now lets other clients in, end with what is under way on them.
   */
  update(settings: ListenerSettings): void;
  /** Responses say `Connection: close` from now on; connections are still accepted. */
  drain(): void;
  /** Accepts no more; open connections go on. */
  stopAccepting(): void;
  /** Accepts no more, closes idle connections; resolves when the last connection is gone. */
  stop(): Promise<void>;
  /** Closes connections on which nothing has been under way for so long. */
  closeIdle(forMs: number): void;
  /** Ends WebSockets by their closing handshake, with 1001; everything else goes on. */
  goAway(): void;
  /** Closes everything at once. */
  terminate(): void;
}

/** Listens on one address. Throws what the runtime throws when the address is taken or forbidden. */
export function createListener(options: ListenerOptions): Listener {
  const { gate, hooks, wheel, newId } = options;
  const connections = new Connections(gate, hooks);
  const contexts = new EntryContexts({ wheel, newId, hooks, connections });
  let table = entryTable(contexts.open(options));
  const acceptor = listen(options, connections, () => table);
  gate.add(acceptor);

  function stopAccepting(): void {
    gate.remove(acceptor);
    acceptor.stop();
  }

  return {
    address: options.address,
    port: acceptor.port,
    update(settings) {
      table = entryTable(contexts.open(settings));
    },
    drain() {
      contexts.drain();
      for (const connection of connections.list()) connection.drain();
    },
    stopAccepting,
    stop() {
      contexts.drain();
      stopAccepting();
      const gone = connections.emptied();
      for (const connection of connections.list()) connection.close();
      return gone;
    },
    closeIdle(forMs) {
      const since = now() - forMs;
      for (const connection of connections.list()) connection.closeIdle(since);
    },
    goAway() {
      contexts.goAway();
      for (const connection of connections.list()) connection.goAway();
    },
    terminate() {
      // Resets first: stopping would end them cleanly, and a body that runs to the close would pass for whole.
      for (const connection of connections.list()) connection.terminate();
      stopAccepting();
    },
  };
}

function listen(options: ListenerOptions, connections: Connections, table: () => EntryTable): Acceptor {
  const { gate, hooks } = options;

  const host: IntakeHost = {
    recount(intake, { peer }) {
      const { limits } = table().first.context;
      const reason = gate.enter(peer, Number.POSITIVE_INFINITY, limits.connectionsPerClient);
      connections.recount(intake, peer);
      return reason;
    },
    replaced: (before, after, { context }) => connections.replace(before, after, context),
  };

  function accept(socket: ConnectionSocket, client: ClientInfo): void {
    const entries = table();
    const { first, expectsProxyProtocol } = entries;
    const { limits } = first.context;
    if (expectsProxyProtocol && !client.isTrusted) {
      turnAwaySilently(socket, "proxy_untrusted");
      return;
    }
    // Behind a proxy the client is not known yet.
    const ownLimit = expectsProxyProtocol ? null : limits.connectionsPerClient;
    const reason = gate.enter(client.peer, limits.connections, ownLimit);
    if (reason !== null && (entries.speech !== "http" || !gate.canTurnAway)) {
      gate.leave(client.peer);
      turnAwaySilently(socket, reason);
      return;
    }
    socket.setNoDelay(true);
    if (reason !== null) turnAway(socket, client, { first, reason });
    else admit(socket, client, entries);
    gate.settle(limits.connections);
  }

  function admit(socket: ConnectionSocket, client: ClientInfo, entries: EntryTable): void {
    const { context } = entries.first;
    if (beginsWithRequest(entries)) {
      const connection = new Downstream(socketOf(socket), context, client);
      socket.data = connection;
      connections.add(connection, context, client.peer);
      return;
    }
    const intake = new Intake(socket, { host, table: entries, client });
    socket.data = intake;
    connections.add(intake, context, client.peer);
    intake.begin();
  }

  /** It takes nobody's place while it is told why it cannot stay. */
  function turnAway(socket: ConnectionSocket, client: ClientInfo, { first, reason }: TurnedAway): void {
    const connection = new Downstream(socketOf(socket), first.context, client);
    socket.data = connection;
    connections.add(connection, first.context, client.peer);
    connections.turnAway(connection);
    hooks.onConnection(reason);
    connection.refuseConnection(new GatewayError("overloaded", "There are too many connections.", { retryAfter: 1 }));
  }

  function turnAwaySilently(socket: ConnectionSocket, reason: ConnectionRefusal): void {
    hooks.onConnection(reason);
    socket.terminate();
  }

  const handlers = {
    open(socket: ConnectionSocket) {
      const client = clientOf(socket, table().first.context);
      if (client === null) socket.terminate();
      else inEvent(socket, () => accept(socket, client));
    },
    ...socketEvents<ServerConnection>(),
  };
  const { fd, address: hostname, port } = options;
  const at: ListenAt = fd === undefined || fd === null ? { hostname, port } : { fd };
  return createAcceptor((where) => bunListen(where, handlers), at);
}

interface TurnedAway {
  readonly first: OpenEntry;
  readonly reason: ConnectionRefusal;
}

/** Nothing is to be found out first, so that no intake is needed. */
function beginsWithRequest({ first, speech, expectsProxyProtocol }: EntryTable): boolean {
  return speech === "http" && !first.hasHttp2 && !expectsProxyProtocol;
}

function bunListen(at: ListenAt, handlers: SocketHandler<ServerConnection>): TCPSocketListener<ServerConnection> {
  // The types know no descriptor: the runtime accepts on it then, without address and port.
  return Bun.listen<ServerConnection>({ ...(at as Address), allowHalfOpen: true, socket: handlers });
}

interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** Who is at the other end; null when the connection was reset before it could be looked at. */
function clientOf(
  socket: ConnectionSocket,
  { isTrusted }: Pick<ListenerContext<ServerConnection>, "isTrusted">,
): ClientInfo | null {
  // The types promise an address, but the runtime has none for a socket that is gone already.
  const address: string | undefined = socket.remoteAddress;
  if (address === undefined) return null;
  // An IPv4 client of a listener on `::` shows as `::ffff:1.2.3.4`.
  const peer = address.replace(/^::ffff:(?=\d+\.)/, "");
  const { remotePort: port, localPort } = socket;
  return { address: peer, peer, port, localPort, isTrusted: isTrusted(peer), tls: null };
}
