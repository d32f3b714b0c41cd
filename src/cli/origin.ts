import type { ListenerConfig } from "../config/types.ts";

/** How to reach a listener from this machine: an address that stands for all is the loopback. */
export function origin(address: string, port: number, protocol: ListenerConfig["protocol"] = "http"): string {
  const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
  return `${SCHEMES[protocol]}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

const SCHEMES = { http: "http", https: "https", tcp: "tcp", tls_passthrough: "tls" } as const;

/** One line for each listener: its name and how to reach it. */
export function listenerLines(
  addresses: ReadonlyMap<string, { readonly address: string; readonly port: number }>,
  listeners: readonly ListenerConfig[],
): readonly string[] {
  const protocols = new Map(listeners.map(({ name, protocol }) => [name, protocol]));
  return [...addresses].map(
    ([name, { address, port }]) => `${name} listens on ${origin(address, port, protocols.get(name))}`,
  );
}
