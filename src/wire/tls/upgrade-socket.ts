import type { SocketHandler } from "bun";
import type { ConnectionSocket } from "../handover.ts";
import type { ServerConnection } from "../listener-context.ts";
import type { TlsPolicy } from "./policy.ts";

export interface UpgradeOptions {
  readonly policy: TlsPolicy;
  /** What the policy chose. */
  readonly secureContext: object;
  /** Has the new socket's events, which may begin before the call returns. */
  readonly owner: ServerConnection;
  /** What was read already, from the ClientHello on. */
  readonly bytes: Buffer;
  readonly handlers: SocketHandler<ServerConnection>;
}

/**
 * Begins a TLS handshake on an accepted socket. The runtime makes a new socket for what is spoken within TLS, and one
 * that goes on to tell of the records themselves: it gets an owner who does not care. `isServer`, `initialData` and
 * `secureContext` are in none of the runtime's types; test/wire/tls/runtime-server.test.ts holds it to them.
 */
export function upgradeSocket(socket: ConnectionSocket, options: UpgradeOptions): ConnectionSocket {
  const { policy, secureContext, owner, bytes, handlers } = options;
  socket.data = NOBODY;
  const upgrade = {
    isServer: true,
    data: owner,
    initialData: bytes,
    socket: handlers,
    tls: {
      secureContext,
      ALPNProtocols: policy.ALPNProtocols,
      requestCert: policy.clientAuth !== null,
      rejectUnauthorized: policy.clientAuth === "require",
    },
  };
  const [records, tls] = socket.upgradeTLS<ServerConnection>(upgrade);
  records.data = NOBODY;
  return tls;
}

const nothing = () => {};

const NOBODY: ServerConnection = {
  onData: nothing,
  onDrain: nothing,
  onEnd: nothing,
  onClose: nothing,
  drain: nothing,
  close: nothing,
  goAway: nothing,
  heldBytes: 0,
  closeIdle: nothing,
  terminate: nothing,
};
