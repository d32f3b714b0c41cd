import type { ListenerConfig } from "./types.ts";
import { quote } from "./wording.ts";

function isNamed({ protocol }: ListenerConfig): boolean {
  return protocol === "https" || protocol === "tls_passthrough";
}

function namesOf({ hostnames }: ListenerConfig): readonly string[] {
  return hostnames.length === 0 ? ["*"] : hostnames;
}

/** Why two listeners cannot have one port, and what would be right; null when the client's TLS name tells them apart. */
export function sharingFault(one: ListenerConfig, other: ListenerConfig): string | null {
  const taken = `${one.port} is the port of listener "${other.name}" already`;
  if (!isNamed(one) || !isNamed(other))
    return `${taken}; choose another, as only listeners of https and tls_passthrough share one`;
  if (one.expectsProxyProtocol !== other.expectsProxyProtocol) {
    return `${taken}, whose proxyProtocol differs; give both the same, or choose another port`;
  }
  // One socket takes the datagrams of a port, with one certificate.
  if (one.hasHttp3 && other.hasHttp3) {
    return `${taken}, which serves HTTP/3 there too; leave http3 to one of them, or choose another port`;
  }
  // A wildcard and a name that it takes may be two listeners': who names a host more exactly serves it.
  const shared = namesOf(one).find((name) => namesOf(other).includes(name));
  if (shared === undefined) return null;
  const what = shared === "*" ? "every host" : quote(shared);
  return `${taken}, which serves ${what} too; give each hostnames of its own, or choose another port`;
}
