/** Why a request is none that its sender may make from where it is; null for one that is right. */
export type SiteFault = "host" | "origin" | null;

interface SiteFields {
  readonly host: string | null;
  readonly origin: string | null;
  readonly fetchSite: string | null;
}

const HOST = /^(\[[0-9a-f:.]+\]|[^:]+)(?::\d{1,5})?$/i;

/** Whether an address leads to this machine alone. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || /^127\./.test(address);
}

/** Whether a Host field names this machine by a name that no name server can have made up. */
function isLocalHost(host: string | null): boolean {
  const name = HOST.exec(host ?? "")?.[1]?.toLowerCase();
  if (name === undefined) return false;
  return name === "localhost" || name === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

function isOwnOrigin(origin: string, host: string | null): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

/**
 * Checks what browsers say of where a request comes from: a page of another site must not use this one (CSRF), nor
 * reach a server of this machine under a name of its own (DNS rebinding).
 */
export function siteFault({ host, origin, fetchSite }: SiteFields, address: string): SiteFault {
  if (isLoopback(address) && !isLocalHost(host)) return "host";
  if (origin !== null && !isOwnOrigin(origin, host)) return "origin";
  return fetchSite === null || fetchSite === "same-origin" || fetchSite === "none" ? null : "origin";
}
