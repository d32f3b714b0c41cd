import { isIP } from "node:net";
import type { RedisOptions } from "ioredis";

/** Where Redis is; what the configuration's `redis` says. A server is `host:port`, or a URL with more to say. */
export type RedisTarget =
  | { readonly url: string }
  | { readonly sentinels: readonly string[]; readonly name: string; readonly password: string | null }
  | { readonly cluster: readonly string[] };

/** Where one server listens, as whom to speak to it, and whether over TLS. */
export interface RedisServer {
  readonly host: string;
  readonly port: number;
  readonly db?: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: NonNullable<RedisOptions["tls"]>;
}

const DEFAULT_PORT = 6379;

/** A server by `host:port` or by a `redis://` or `rediss://` URL. Throws a TypeError for anything else. */
export function redisServer(text: string): RedisServer {
  const url = new URL(/^rediss?:\/\//.test(text) ? text : `redis://${text}`);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host === "") throw new TypeError(`${JSON.stringify(text)} names no Redis; write host:port or redis://host:port`);
  return {
    host,
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    ...(url.pathname.length > 1 ? { db: Number(url.pathname.slice(1)) } : {}),
    ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
    // An address is no name that a certificate could be chosen by.
    ...(url.protocol === "rediss:" ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {}),
  };
}
