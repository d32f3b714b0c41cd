import type { Socket } from "bun";
import { Downstream } from "./downstream.ts";
import type { ClientInfo } from "./exchange.ts";
import { H2Downstream } from "./h2/downstream-session.ts";
import type { ListenerContext, ServerConnection } from "./listener-context.ts";

/** A client's socket, which may change hands. */
export type ConnectionSocket = Socket<ServerConnection>;

export interface HttpOrigin {
  readonly context: ListenerContext<ServerConnection>;
  readonly client: ClientInfo;
  /** HTTP/2 was agreed on, or its preface came. */
  readonly isHttp2: boolean;
}

/** Who speaks HTTP on this socket from now on; has the socket's events already. */
export function httpConnection(socket: ConnectionSocket, { context, client, isHttp2 }: HttpOrigin): ServerConnection {
  const connection = isHttp2
    ? new H2Downstream(socketOf(socket), context, client)
    : new Downstream(socketOf(socket), context, client);
  socket.data = connection;
  return connection;
}

/** The same socket as its next owner sees it: types only, for what the runtime gives is one object. */
export function socketOf<Owner>(socket: ConnectionSocket): Socket<Owner> {
  return socket as unknown as Socket<Owner>;
}
