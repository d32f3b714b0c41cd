import { GatewayError } from "../errors.ts";
import type { AcceptGate } from "./accept-gate.ts";
import type { Connections } from "./connections.ts";
import { Downstream } from "./downstream.ts";
import type { ClientInfo } from "./exchange.ts";
import { type ConnectionSocket, socketOf } from "./handover.ts";
import { Intake, type IntakeHost } from "./intake.ts";
import type { ConnectionRefusal, ListenerHooks, ServerConnection } from "./listener-context.ts";
import type { EntryTable, OpenEntry } from "./listener-entry.ts";

export interface AdmissionDeps {
  readonly gate: AcceptGate;
  readonly hooks: ListenerHooks;
  readonly connections: Connections;
  /** The entries in force. */
  readonly table: () => EntryTable;
}

/** Decides of each socket that was accepted whether it may stay, and who has it first. */
export class Admission implements IntakeHost {
  readonly #deps: AdmissionDeps;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  accept(socket: ConnectionSocket): void {
    const { gate } = this.#deps;
    const table = this.#deps.table();
    const { first, expectsProxyProtocol } = table;
    const { limits } = first.context;
    const client = clientOf(socket, first);
    if (client === null) {
      socket.terminate();
      return;
    }
    if (expectsProxyProtocol && !client.isTrusted) {
      this.#dismiss(socket, "proxy_untrusted");
      return;
    }
    // Behind a proxy the client is not known yet.
    const ownLimit = expectsProxyProtocol ? null : limits.connectionsPerClient;
    const reason = gate.enter(client.peer, limits.connections, ownLimit);
    if (reason === null) this.#admit(socket, client, table);
    else if (table.speech === "http" && gate.canTurnAway) this.#turnAway(socket, client, { first, reason });
    else {
      gate.leave(client.peer);
      this.#dismiss(socket, reason);
    }
    gate.settle(limits.connections);
  }

  current(): EntryTable {
    return this.#deps.table();
  }

  recount(intake: ServerConnection, { peer }: ClientInfo): ConnectionRefusal | null {
    const { gate, connections, table } = this.#deps;
    const { connectionsPerClient } = table().first.context.limits;
    // It counts among all connections already.
    const reason = gate.enter(peer, Number.POSITIVE_INFINITY, connectionsPerClient);
    connections.recount(intake, peer);
    return reason;
  }

  replaced(before: ServerConnection, after: ServerConnection, { context }: OpenEntry): void {
    this.#deps.connections.replace(before, after, context);
  }

  #admit(socket: ConnectionSocket, client: ClientInfo, table: EntryTable): void {
    if (beginsWithRequest(table)) {
      this.#beginHttp1(socket, client, table.first);
      return;
    }
    socket.setNoDelay(true);
    const intake = new Intake(socket, { host: this, table, client });
    socket.data = intake;
    this.#deps.connections.add(intake, table.first.context, client.peer);
    intake.begin();
  }

  #beginHttp1(socket: ConnectionSocket, client: ClientInfo, { context }: OpenEntry): Downstream {
    socket.setNoDelay(true);
    const connection = new Downstream(socketOf(socket), context, client);
    socket.data = connection;
    this.#deps.connections.add(connection, context, client.peer);
    return connection;
  }

  /** It takes nobody's place while it is told why it cannot stay. */
  #turnAway(socket: ConnectionSocket, client: ClientInfo, { first, reason }: TurnedAway): void {
    const connection = this.#beginHttp1(socket, client, first);
    this.#deps.connections.turnAway(connection);
    this.#deps.hooks.onConnection(reason);
    connection.refuseConnection(new GatewayError("overloaded", "There are too many connections.", { retryAfter: 1 }));
  }

  /** In silence: what could be told would not be understood, or too many are being told already. */
  #dismiss(socket: ConnectionSocket, reason: ConnectionRefusal): void {
    this.#deps.hooks.onConnection(reason);
    socket.terminate();
  }
}

interface TurnedAway {
  readonly first: OpenEntry;
  readonly reason: ConnectionRefusal;
}

/** Nothing is to be found out first, so that no intake is needed. */
function beginsWithRequest({ first, speech, expectsProxyProtocol }: EntryTable): boolean {
  return speech === "http" && !first.hasHttp2 && !expectsProxyProtocol;
}

/** Who is at the other end; null when the connection was reset before it could be looked at. */
function clientOf(socket: ConnectionSocket, { context }: OpenEntry): ClientInfo | null {
  // The types promise an address, but the runtime has none for a socket that is gone already.
  const address: string | undefined = socket.remoteAddress;
  if (address === undefined) return null;
  // An IPv4 client of a listener on `::` shows as `::ffff:1.2.3.4`.
  const peer = address.replace(/^::ffff:(?=\d+\.)/, "");
  const { remotePort: port, localPort } = socket;
  return { address: peer, peer, port, localPort, isTrusted: context.isTrusted(peer), tls: null };
}
