import type { ListenerConfig } from "../config/types.ts";
import { offersHttp3 } from "./response-fields.ts";

/** Where listeners accept, by name. */
type Addresses = ReadonlyMap<string, { readonly address: string; readonly port: number }>;

const SCHEMES = { http: "http", https: "https", tcp: "tcp", tls_passthrough: "tls" } as const;

/** How to reach a listener from this machine: an address that stands for all is the loopback. */
export function origin(address: string, port: number, protocol: ListenerConfig["protocol"] = "http"): string {
  const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
  return `${SCHEMES[protocol]}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** One line for each listener: its name and how to reach it, by HTTP/3 too where that is offered. */
export function listenerLines(addresses: Addresses, listeners: readonly ListenerConfig[]): readonly string[] {
  const byName = new Map(listeners.map((listener) => [listener.name, listener]));
  return [...addresses].map(([name, { address, port }]) => {
    const listener = byName.get(name);
    const http3 = listener !== undefined && offersHttp3(listener) ? ", and HTTP/3 at the same port over UDP" : "";
    return `${name} listens on ${origin(address, port, listener?.protocol)}${http3}`;
  });
}

interface Change {
  readonly before: Addresses;
  readonly after: Addresses;
  /** Those of `after`. */
  readonly listeners: readonly ListenerConfig[];
}

/** What a reload did to listeners, one line each: those that it opened, moved or closed. */
export function listenerNews({ before, after, listeners }: Change): readonly string[] {
  const isIn = (addresses: Addresses, name: string, place: { readonly address: string; readonly port: number }) => {
    const other = addresses.get(name);
    return other !== undefined && other.address === place.address && other.port === place.port;
  };
  const opened = new Map([...after].filter(([name, place]) => !isIn(before, name, place)));
  const closed = [...before].filter(([name, place]) => !isIn(after, name, place));
  return [
    ...closed.map(([name, { address, port }]) => `${name} listens no more on ${address}:${port}`),
    ...listenerLines(opened, listeners),
  ];
}
