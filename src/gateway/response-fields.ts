import type { HstsConfig, ListenerConfig } from "../config/types.ts";
import { OwnFields } from "../wire/own-fields.ts";

/** `Strict-Transport-Security` as RFC 6797 6.1 writes it. */
function hstsValue({ maxAgeSeconds, includesSubdomains, isPreloaded }: HstsConfig): string {
  return `max-age=${maxAgeSeconds}${includesSubdomains ? "; includeSubDomains" : ""}${isPreloaded ? "; preload" : ""}`;
}

/** So long clients may remember that HTTP/3 is served; they try it only while the gateway says so. */
const ALT_SVC_SECONDS = 3600;

/** Says whether HTTP/3 is served beside a listener: the runtime knows no client certificates there. */
export function offersHttp3({ hasHttp3, tls }: Pick<ListenerConfig, "hasHttp3" | "tls">): boolean {
  return hasHttp3 && tls !== null && tls.clientAuth === null;
}

/**
 * Fields that a listener puts into every response, or null. HSTS must be over TLS only (7.2): where it is configured
 * elsewhere, the configuration is refused.
 */
export function responseFields(listener: Pick<ListenerConfig, "hsts" | "port" | "hasHttp3" | "tls">): OwnFields | null {
  const { hsts, port } = listener;
  const pairs: (readonly [string, string])[] = [];
  if (hsts !== null) pairs.push(["Strict-Transport-Security", hstsValue(hsts)]);
  // A port that the system chooses is not known yet.
  if (offersHttp3(listener) && port !== 0) pairs.push(["Alt-Svc", `h3=":${port}"; ma=${ALT_SVC_SECONDS}`]);
  return pairs.length === 0 ? null : new OwnFields(pairs);
}
