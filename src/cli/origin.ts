import type { AdminConfig, ListenerConfig } from "../config/types.ts";
import { offersHttp3 } from "../gateway/response-fields.ts";

/** How to reach a listener from this machine: an address that stands for all is the loopback. */
export function origin(address: string, port: number, protocol: ListenerConfig["protocol"] = "http"): string {
  const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
  return `${SCHEMES[protocol]}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Says where the admin API is; nothing where there is none. */
export function adminLines(admin: AdminConfig | null, port: number | null): readonly string[] {
  return admin === null || port === null ? [] : [`the admin API is on ${origin(admin.address, port)}/v1/status`];
}

const SCHEMES = { http: "http", https: "https", tcp: "tcp", tls_passthrough: "tls" } as const;

/** How this machine asks a server beside the listeners: one on all IPv6 addresses may have no IPv4 one. */
export function sideOrigin(address: string, port: number): string {
  return origin(address === "::" ? "::1" : address, port);
}

/** One line for each listener: its name and how to reach it, by HTTP/3 too where that is offered. */
export function listenerLines(
  addresses: ReadonlyMap<string, { readonly address: string; readonly port: number }>,
  listeners: readonly ListenerConfig[],
): readonly string[] {
  const byName = new Map(listeners.map((listener) => [listener.name, listener]));
  return [...addresses].map(([name, { address, port }]) => {
    const listener = byName.get(name);
    const http3 = listener !== undefined && offersHttp3(listener) ? ", and HTTP/3 at the same port over UDP" : "";
    return `${name} listens on ${origin(address, port, listener?.protocol)}${http3}`;
  });
}
