import type { ListenerConfig } from "../config/types.ts";
import type { Exchange } from "../wire/exchange.ts";
import { type NameTable, nameTable } from "../wire/name-table.ts";
import { socketKey } from "./socket-plan.ts";

/**
 * Tells requests for a host that another listener of the same socket serves: a client must not get past one listener's
 * certificates and rules by the name that it asked for within TLS (RFC 9110 7.4, 15.5.20).
 */
export type HostGuard = (exchange: Pick<Exchange, "listener" | "host">) => boolean;

/** Null where no two listeners share a socket. */
export function hostGuard(listeners: readonly ListenerConfig[]): HostGuard | null {
  const bySocket = Map.groupBy(listeners, socketKey);
  const tables = new Map<string, NameTable<ListenerConfig>>();
  for (const shared of bySocket.values()) {
    if (shared.length < 2) continue;
    const table = nameTable(shared);
    for (const { name } of shared) tables.set(name, table);
  }
  if (tables.size === 0) return null;
  return ({ listener, host }) => {
    const owner = tables.get(listener)?.(host) ?? null;
    return owner !== null && owner.name !== listener;
  };
}
