import type { SocketHandler, TCPSocketListener } from "bun";
import type { AcceptGate } from "./accept-gate.ts";
import { type Acceptor, createAcceptor, type ListenAt } from "./acceptor.ts";
import { Admission } from "./admission.ts";
import { Connections } from "./connections.ts";
import { EntryContexts, type ListenerSettings } from "./entry-contexts.ts";
import { inEvent, now } from "./event.ts";
import type { ConnectionSocket } from "./handover.ts";
import type { ListenerHooks, ServerConnection } from "./listener-context.ts";
import { entryTable } from "./listener-entry.ts";
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
  /** Resolves when no connection is open. */
  emptied(): Promise<void>;
  /** Accepts no more, closes idle connections; resolves when the last connection is gone. */
  stop(): Promise<void>;
  /** Closes connections on which nothing has been under way for so long. */
  closeIdle(forMs: number): void;
  /** The open connections; not to be kept. */
  connections(): readonly ServerConnection[];
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
  const acceptor = listen(options, new Admission({ gate, hooks, connections, table: () => table }));
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
    emptied: () => connections.emptied(),
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
    connections: () => connections.list(),
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

function listen({ fd, address: hostname, port }: ListenerOptions, admission: Admission): Acceptor {
  const handlers = {
    open: (socket: ConnectionSocket) => inEvent(admission, () => admission.accept(socket)),
    ...socketEvents<ServerConnection>(),
  };
  const at: ListenAt = fd === undefined || fd === null ? { hostname, port } : { fd };
  return createAcceptor((where) => bunListen(where, handlers), at);
}

function bunListen(at: ListenAt, handlers: SocketHandler<ServerConnection>): TCPSocketListener<ServerConnection> {
  // The types know no descriptor: the runtime accepts on it then, without address and port.
  return Bun.listen<ServerConnection>({ ...(at as Address), allowHalfOpen: true, socket: handlers });
}

interface Address {
  readonly hostname: string;
  readonly port: number;
}
