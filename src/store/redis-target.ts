import { isIP } from "node:net";
import type { RedisOptions } from "ioredis";

/** How servers of Redis are verified over TLS, and how the gateway shows itself to them. PEM texts. */
export interface RedisTls {
  /** Null: the system's authorities. */
  readonly caPem: string | null;
  /** Name asked for and verified; null: the server's host. */
  readonly serverName: string | null;
  readonly certPem: string | null;
  readonly keyPem: string | null;
}

/** As whom to speak to Redis and how, whichever way its servers are found. */
export interface RedisAccess {
  /** A user of its ACLs, who needs a password; the default user where there is none. */
  readonly username?: string | null;
  readonly password?: string | null;
  /** Null: over TLS only where a URL says so. */
  readonly tls?: RedisTls | null;
  /** Stands before every key and channel, without braces; `torii:` where there is none. */
  readonly prefix?: string;
}

/** A master that sentinels watch. TLS holds for them too. */
export interface SentinelTarget extends RedisAccess {
  /** Each is `host:port`, or a URL with more to say; so is each server of a Cluster. */
  readonly sentinels: readonly string[];
  readonly name: string;
  /** What the sentinels themselves ask for. */
  readonly sentinelUsername?: string | null;
  readonly sentinelPassword?: string | null;
}

/** Where Redis is; what the configuration's `redis` says. */
export type RedisTarget =
  | (RedisAccess & { readonly url: string })
  | SentinelTarget
  | (RedisAccess & { readonly cluster: readonly string[] });

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

/** What stands before every key and channel unless the target says otherwise. */
export const DEFAULT_PREFIX = "torii:";

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

/** What a client needs for TLS; null for none. Without a name, each connection verifies the host that it goes to. */
export function tlsOptions(tls: RedisTls | null | undefined): NonNullable<RedisOptions["tls"]> | null {
  if (tls === null || tls === undefined) return null;
  return {
    ...(tls.caPem === null ? {} : { ca: tls.caPem }),
    ...(tls.certPem === null ? {} : { cert: tls.certPem }),
    ...(tls.keyPem === null ? {} : { key: tls.keyPem }),
    ...(tls.serverName === null ? {} : { servername: tls.serverName }),
  };
}

/** What a client says for a target's access, over what a server's own text says. */
export function accessOptions(
  { username, password, tls }: RedisAccess,
  own: Pick<RedisServer, "username" | "password" | "tls"> = {},
): Pick<RedisServer, "username" | "password" | "tls"> {
  const user = username ?? own.username;
  const secret = password ?? own.password;
  const secure = tlsOptions(tls);
  const merged = secure === null ? own.tls : { ...own.tls, ...secure };
  return {
    ...(user === undefined ? {} : { username: user }),
    ...(secret === undefined ? {} : { password: secret }),
    ...(merged === undefined ? {} : { tls: merged }),
  };
}
