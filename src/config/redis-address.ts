import { isIPv6 } from "node:net";

const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):(\d{1,5})$/;

/** Says whether a text is `host:port`, an IPv6 address in brackets. */
export function isHostAndPort(text: string): boolean {
  const parts = HOST_AND_PORT.exec(text);
  const port = Number(parts?.[2]);
  return parts !== null && (parts[1] === undefined || isIPv6(parts[1])) && port >= 1 && port <= 65_535;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Says whether a text is `redis://` or `rediss://` with a host, and at most credentials, a port and a database's number. */
export function isRedisUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !/^rediss?:\/\//.test(text) || url.hostname === "" || url.port === "0") return false;
  if (!isDecodable(url.username) || !isDecodable(url.password)) return false;
  return /^\/?\d{0,4}$/.test(url.pathname) && url.search === "" && url.hash === "";
}
