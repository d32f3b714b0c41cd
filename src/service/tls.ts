import { createDialTls, type DialTls } from "../wire/tls/dial-tls.ts";
import type { ServiceOptions } from "./options.ts";

/**
 * What a service's endpoints are dialled with over TLS. Made when it is first asked for, once: a context costs
 * milliseconds and holds all authorities. The call throws when a PEM cannot be read.
 */
export function lazyTls({ tls, protocol }: Pick<ServiceOptions, "tls" | "protocol">): () => DialTls {
  let made: DialTls | null = null;
  return () => {
    made ??= createDialTls({
      caPem: tls?.caPem ?? null,
      serverName: tls?.serverName ?? null,
      certPem: tls?.certPem ?? null,
      keyPem: tls?.keyPem ?? null,
      alpn: protocol === "h2" ? ["h2"] : ["http/1.1"],
      requiresAlpn: protocol === "h2",
    });
    return made;
  };
}
