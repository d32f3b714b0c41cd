import { hostMatches } from "../route/hostname.ts";
import type { ListenerConfig } from "./types.ts";
import { quote } from "./wording.ts";

function isNamed({ protocol }: ListenerConfig): boolean {
  return protocol === "https" || protocol === "tls_passthrough";
}

function overlap(a: readonly string[], b: readonly string[]): string | null {
  const found = a.find((one) => b.some((other) => hostMatches(other, one) || hostMatches(one, other)));
  return found ?? null;
}

/** Why two listeners cannot have one port, and what would be right; null when the client's TLS name tells them apart. */
export function sharingFault(one: ListenerConfig, other: ListenerConfig): string | null {
  const taken = `${one.port} is the port of listener "${other.name}" already`;
  if (!isNamed(one) || !isNamed(other)) return `${taken}; choose another`;
  if (one.expectsProxyProtocol !== other.expectsProxyProtocol) {
    return `${taken}, whose proxyProtocol differs; give both the same, or choose another port`;
  }
  if (one.hostnames.length === 0 && other.hostnames.length === 0) {
    return `${taken}; give hostnames to one of them, or choose another port`;
  }
  const shared = overlap(one.hostnames, other.hostnames);
  if (shared === null) return null;
  return `${taken}, which serves hosts of ${quote(shared)} too; give each hostnames of its own, or choose another port`;
}
