import { passthroughIndex } from "../config/passthrough.ts";
import type { Config, ListenerConfig, ListenerProtocol, RouteConfig } from "../config/types.ts";
import type { SubsetSelector } from "../service/options.ts";
import { backendText, endpointsOf } from "./explain-endpoints.ts";

/** Where the bytes of a connection go. */
export interface BytesAnswer {
  /** Name of the listener that is asked. */
  readonly listener: string;
  readonly protocol: ListenerProtocol;
  /** The name that the client's TLS asks for; null where none is seen. */
  readonly serverName: string | null;
  /** Null: the connection is closed. */
  readonly route: string | null;
  readonly backends: readonly {
    readonly service: string;
    readonly weight: number;
    /** Null: all endpoints of the service. */
    readonly subset: SubsetSelector | null;
    readonly endpoints: readonly string[] | null;
  }[];
  readonly others: readonly { readonly route: string; readonly reasons: readonly string[] }[];
}

function reasonOf({ listeners, hostnames }: RouteConfig, listener: ListenerConfig): string {
  if (!listeners?.includes(listener.name)) return `stands on other listeners: ${(listeners ?? []).join(", ")}`;
  return hostnames.length === 0 ? "another route names the host" : `is for ${hostnames.join(", ")}`;
}

/** Which route takes a connection to a listener that passes bytes, and why the others of its kind do not. */
export function bytesAnswer(host: string, config: Config, listener: ListenerConfig): BytesAnswer {
  const routes = config.routes.filter((route) => route.isPassthrough);
  const serverName = listener.protocol === "tcp" || host === "" ? null : host;
  const find = passthroughIndex(
    config.listeners,
    routes.map((route) => [route, route] as const),
  );
  const found = find(listener.name, serverName);
  return {
    listener: listener.name,
    protocol: listener.protocol,
    serverName,
    route: found?.name ?? null,
    backends: (found?.backends ?? []).map((backend) => ({
      service: backend.service,
      weight: backend.weight,
      subset: backend.subset,
      endpoints: endpointsOf(backend, config),
    })),
    others: routes
      .filter((route) => route !== found)
      .map((route) => ({ route: route.name, reasons: [reasonOf(route, listener)] })),
  };
}

/** The answer in words. */
export function bytesText(
  { listener, protocol, serverName, route, backends, others }: BytesAnswer,
  config: Config,
): string {
  const lines = [`bytes for ${serverName ?? "any name"} on listener ${listener} (${protocol})`];
  lines.push(route === null ? "no route takes it: the connection is closed" : `route    ${route}`);
  for (const backend of backends) lines.push(backendText(backend, config));
  if (others.length > 0) lines.push("", "other routes:");
  for (const other of others) lines.push(`  ${other.route}: ${other.reasons.join("; ")}`);
  return lines.join("\n");
}
