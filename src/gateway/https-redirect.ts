import { STATUS_CODES } from "node:http";
import type { ListenerConfig } from "../config/types.ts";
import { GatewayError } from "../errors.ts";
import type { Exchange } from "../wire/exchange.ts";
import { headerList } from "../wire/header-list.ts";

/** Where certificate authorities ask for proof in the clear (RFC 8555 8.3): a route may answer there. */
const CHALLENGES = "/.well-known/acme-challenge/";

/** Ports that listeners redirect every request to, by the listener's name; null when none does. */
export function httpsRedirects(listeners: readonly ListenerConfig[]): ReadonlyMap<string, number> | null {
  const ports = listeners.flatMap(({ name, httpsRedirectPort: port }) =>
    port === null ? [] : [[name, port] as const],
  );
  return ports.length === 0 ? null : new Map(ports);
}

/** True for a path that is routed in spite of a redirect, where a route takes it. */
export function isChallenge({ target }: Pick<Exchange, "target">): boolean {
  return target.startsWith(CHALLENGES);
}

/**
 * Where a request is sent: the same target under `https`. GET and HEAD get a 301, which every client knows; a 308
 * keeps other methods as they are. Null for a request that names no host.
 */
export function httpsRedirect(
  { host, method, target }: Pick<Exchange, "host" | "method" | "target">,
  port: number,
): { readonly status: number; readonly location: string } | null {
  if (host === "") return null;
  const status = method === "GET" || method === "HEAD" ? 301 : 308;
  return { status, location: `https://${host}${port === 443 ? "" : `:${port}`}${target}` };
}

/** Sends the client there. Throws a GatewayError for a request that names no host. */
export function redirectToHttps(exchange: Exchange, port: number): void {
  const redirect = httpsRedirect(exchange, port);
  if (redirect === null) throw new GatewayError("bad_request", "The request names no host to go to by https.");
  const { status, location } = redirect;
  const head = { status, reason: STATUS_CODES[status] ?? "", headers: headerList([["Location", location]]) };
  exchange.respond(head, null);
}
