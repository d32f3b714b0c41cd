import { below, placeOf } from "./check.ts";
import type { Entry } from "./entries.ts";
import type { TlsReading } from "./tls-config.ts";
import type { RouteConfig } from "./types.ts";

function usedBy(routes: readonly RouteConfig[]): ReadonlySet<string> {
  return new Set(routes.flatMap(({ backends }) => backends.map(({ service }) => service)));
}

/**
 * Adds a warning for each service with `proxyProtocol` that only routes of HTTP use: those tell of the client in
 * fields, and send no header.
 */
export function checkProxyHeaders(
  entries: readonly Entry[],
  routes: readonly RouteConfig[],
  { vetting }: Pick<TlsReading, "vetting">,
): void {
  const byBytes = usedBy(routes.filter(({ isPassthrough }) => isPassthrough));
  const byHttp = usedBy(routes.filter(({ isPassthrough }) => !isPassthrough));
  for (const entry of entries) {
    if (entry.kind !== "service" || entry.data.proxyProtocol === undefined) continue;
    const name = String(entry.spot.path.at(-1));
    if (byBytes.has(name) || !byHttp.has(name)) continue;
    const place = placeOf(below(entry.spot, "proxyProtocol"));
    const message = "is not sent to a service of HTTP routes, only by routes that pass bytes; remove it";
    vetting.warnings.push({ ...place, message });
  }
}
