import type { PluginMiddleware } from "../plugin.ts";
import type { PathSpec } from "../route/path-match.ts";
import type { PathOptions } from "../route/path-policy.ts";
import type { ValueSpec } from "../route/value-test.ts";
import type { RetryPolicy, ServiceOptions, SubsetSelector } from "../service/options.ts";
import type { RedisTarget } from "../store/redis-target.ts";

/** Where a part of the configuration was written; with a message it is a ConfigIssue. */
export interface Place {
  readonly file: string;
  /** Both count from 1; null where the place within the file is not known. */
  readonly line: number | null;
  readonly column: number | null;
  /** Such as `routes[0].plugins[1]`. */
  readonly field: string;
}

/** `http` and `https` speak HTTP; `tcp` passes bytes, `tls_passthrough` bytes by the name in the ClientHello. */
export type ListenerProtocol = "http" | "https" | "tcp" | "tls_passthrough";

/** A certificate that was read and found in order: it belongs to its key, and its chain is whole. */
export interface CertificateConfig {
  /** Names that it was made out for, lower case, wildcards as `*.example.com`. */
  readonly names: readonly string[];
  /** Leaf first. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly keyType: "rsa" | "ecdsa" | "ed25519";
  /** Milliseconds since 1970. */
  readonly notAfterAt: number;
  /** SHA-256 of the leaf's DER form, lower-case hexadecimal. */
  readonly fingerprint: string;
  /** Where it was read from, as it is shown: a path, `store NAME`, or `the PEM text`. */
  readonly origin: string;
  /** Its name in the store; null: it came from elsewhere. */
  readonly storeName: string | null;
}

export interface ClientAuthConfig {
  /** `require` ends the handshake without a valid certificate, `request` only notes what there is. */
  readonly mode: "require" | "request";
  readonly caPem: string;
  readonly crlPem: string | null;
}

export interface TlsConfig {
  /** The first is the default. Never empty. */
  readonly certificates: readonly CertificateConfig[];
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's names, for TLS 1.2; null: the runtime's. */
  readonly ciphers: string | null;
  /** A client that names no host, or one that no certificate is for, is turned away. */
  readonly isStrictSni: boolean;
  readonly clientAuth: ClientAuthConfig | null;
}

/** `Strict-Transport-Security` (RFC 6797). */
export interface HstsConfig {
  readonly maxAgeSeconds: number;
  readonly includesSubdomains: boolean;
  readonly isPreloaded: boolean;
}

export interface ListenerConfig {
  readonly name: string;
  readonly protocol: ListenerProtocol;
  /** Null unless `protocol` is `https`. */
  readonly tls: TlsConfig | null;
  /** HTTP/2 is offered: by ALPN on `https`, by prior knowledge on `http`. */
  readonly hasHttp2: boolean;
  /** HTTP/3 is offered on the same port, experimentally. */
  readonly hasHttp3: boolean;
  /** Connections from `trustedProxies` begin with a PROXY protocol header. */
  readonly expectsProxyProtocol: boolean;
  /** Every request is redirected to `https` at this port; null: none is. */
  readonly httpsRedirectPort: number | null;
  readonly hsts: HstsConfig | null;
  readonly address: string;
  /** 0 asks the system for a free one. */
  readonly port: number;
  /** As `parseHostname` gives them; empty: every host. */
  readonly hostnames: readonly string[];
  readonly source: Place;
}

/** Bounds on what clients may send and hold; null means no bound. */
export interface LimitsConfig {
  readonly headerBytes: number;
  readonly headerCount: number;
  readonly uriBytes: number;
  readonly trailerBytes: number;
  readonly bodyBytes: number | null;
  readonly connections: number;
  readonly connectionsPerClient: number | null;
  readonly headerTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Bytes a second. */
  readonly bodyMinRate: number | null;
}

/** Beyond these the gateway sheds requests. */
export interface OverloadConfig {
  /** Resident memory; null: nine tenths of what the control group allows, where it bounds memory. */
  readonly memoryBytes: number | null;
  /** How late the event loop may run its timers; null: that is not watched. */
  readonly lagMs: number | null;
}

/** Who is shed first under pressure: `low`, then `normal`; `high` is kept to the last. */
export type RoutePriority = "low" | "normal" | "high";

/** The Redis that gateways share. */
export type RedisConfig = RedisTarget;

export interface AdminToken {
  readonly name: string;
  /** SHA-256, lower-case hexadecimal. */
  readonly hashedToken: string;
  readonly role: "viewer" | "editor";
}

export interface AdminConfig {
  readonly address: string;
  /** 0 asks the system for a free one. */
  readonly port: number;
  /** Never empty. */
  readonly tokens: readonly AdminToken[];
}

export interface StatusConfig {
  readonly address: string;
  readonly port: number;
}

export interface AccessLogConfig {
  readonly isEnabled: boolean;
  /** File to append to; null: standard output. */
  readonly path: string | null;
}

export interface ShutdownConfig {
  readonly delayMs: number;
  readonly timeoutMs: number;
}

/**
 * One name and what its value must be. Header names are lower case, and their exact values have one character a byte,
 * as the wire has them; query names and values are as written.
 */
export interface FieldConfig {
  readonly name: string;
  readonly value: ValueSpec;
}

/** When a request belongs, as it was written and known to compile. All parts must hold; null and empty parts always do. */
export interface MatchConfig {
  readonly path: PathSpec | null;
  readonly methods: readonly string[];
  readonly headers: readonly FieldConfig[];
  readonly query: readonly FieldConfig[];
  readonly source: Place;
}

/** One use of a plugin. Exactly one of `name` in the catalog and `middleware` counts: the latter when it is given. */
export interface PluginUse {
  readonly name: string;
  /** The `with` part as written, before the plugin's schema; `{}` when there is none. */
  readonly options: unknown;
  /** A function given in a TypeScript route file instead of a name. */
  readonly middleware: PluginMiddleware | null;
  /** True: it reports what it would do, and does nothing. */
  readonly isShadow: boolean;
  readonly source: Place;
}

export interface BackendConfig {
  readonly service: string;
  /** False: an HTTPRoute names a service that nobody defines; its share answers 500. */
  readonly isValid: boolean;
  /** 0 takes no traffic. */
  readonly weight: number;
  /** Null: all endpoints of the service. */
  readonly subset: SubsetSelector | null;
  /** Run after the route's, for this backend only. */
  readonly plugins: readonly PluginUse[];
  readonly source: Place;
}

export interface RouteConfig {
  readonly name: string;
  /** As `parseHostname` gives them; empty: every host. */
  readonly hostnames: readonly string[];
  /** Names of listeners; null: all. */
  readonly listeners: readonly string[] | null;
  /** True when its listeners pass bytes: it has hostnames and backends, and nothing else counts. */
  readonly isPassthrough: boolean;
  readonly priority: RoutePriority;
  /** Never empty: a route without matches has one that always holds. */
  readonly matches: readonly MatchConfig[];
  /** Which ambiguous paths it takes after all. */
  readonly paths: PathOptions;
  /** Those of `defaults` first, then the route's. */
  readonly plugins: readonly PluginUse[];
  /** For the whole request; 0 for none. */
  readonly timeoutMs: number;
  /** True where services are told what is left of it, also by requests whose clients say nothing of a time. */
  readonly isTimeoutTold: boolean;
  /** For one attempt, from `perTryTimeout` or an HTTPRoute's `backendRequest`; null: only the service's own count. */
  readonly backendTimeoutMs: number | null;
  /** Null: none. */
  readonly retry: RetryPolicy | null;
  /** Empty: a plugin answers, or nothing does (500). */
  readonly backends: readonly BackendConfig[];
  readonly source: Place;
}

export interface ServiceConfig {
  readonly name: string;
  readonly options: ServiceOptions;
  readonly source: Place;
}

/** A whole configuration, checked: durations in ms, sizes in bytes, names resolved, the files' order kept. */
export interface Config {
  readonly listeners: readonly ListenerConfig[];
  readonly services: readonly ServiceConfig[];
  readonly routes: readonly RouteConfig[];
  /** Absolute folder of the user's own plugins; null: none. */
  readonly pluginsFolder: string | null;
  /** Addresses and CIDR blocks, as written and known to be valid. */
  readonly trustedProxies: readonly string[];
  readonly limits: LimitsConfig;
  readonly overload: OverloadConfig;
  readonly redis: RedisConfig | null;
  /** Where the gateway stands; null: nobody says. */
  readonly zone: string | null;
  /** Absolute folder of what is kept over restarts; null: nothing is. It need not be there. */
  readonly stateFolder: string | null;
  /** Processes that serve; 1 is this one alone. */
  readonly workers: number;
  /** Null: there is no admin API. */
  readonly admin: AdminConfig | null;
  readonly status: StatusConfig;
  readonly accessLog: AccessLogConfig;
  readonly shutdown: ShutdownConfig;
}
