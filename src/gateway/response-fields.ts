import type { HstsConfig, ListenerConfig } from "../config/types.ts";
import { OwnFields } from "../wire/own-fields.ts";

/** `Strict-Transport-Security` as RFC 6797 6.1 writes it. */
export function hstsValue({ maxAgeSeconds, includesSubdomains, isPreloaded }: HstsConfig): string {
  return `max-age=${maxAgeSeconds}${includesSubdomains ? "; includeSubDomains" : ""}${isPreloaded ? "; preload" : ""}`;
}

/** Fields that a listener puts into every response, or null. HSTS only over TLS: elsewhere it must not be (7.2). */
export function responseFields({ hsts, protocol }: Pick<ListenerConfig, "hsts" | "protocol">): OwnFields | null {
  if (hsts === null || protocol !== "https") return null;
  return new OwnFields([["Strict-Transport-Security", hstsValue(hsts)]]);
}
