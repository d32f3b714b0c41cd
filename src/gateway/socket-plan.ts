import type { ListenerConfig } from "../config/types.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import type { ListenerEntry } from "../wire/listener-entry.ts";
import { createTlsPolicy, type TlsPolicy } from "../wire/tls/policy.ts";
import { responseFields } from "./response-fields.ts";

/** A socket that a configuration wants, and the listeners that share it. */
export interface PlannedSocket {
  /** Equal for the socket of one address before and after a reload. */
  readonly key: string;
  /** The first of its listeners: where it listens, and where a fault of it is reported. */
  readonly config: ListenerConfig;
  readonly entries: readonly ListenerEntry[];
}

/** TLS policies by the names of listeners, as a reload takes them over. */
export type Policies = ReadonlyMap<string, TlsPolicy>;

/** Plans the sockets of a configuration. Throws a ConfigError for TLS settings that the runtime does not take. */
export function planSockets(configs: readonly ListenerConfig[], previous: Policies): readonly PlannedSocket[] {
  const issues: ConfigIssue[] = [];
  const planned = new Map<string, { readonly config: ListenerConfig; readonly entries: ListenerEntry[] }>();
  for (const config of configs) {
    const key = socketKey(config);
    const socket = planned.get(key) ?? { config, entries: [] };
    planned.set(key, socket);
    socket.entries.push(entryOf(config, tryPolicy(config, previous, issues)));
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return [...planned].map(([key, socket]) => ({ key, ...socket }));
}

/** The policies of planned sockets, for the next plan. */
export function policiesOf(sockets: readonly PlannedSocket[]): Policies {
  const policies = new Map<string, TlsPolicy>();
  for (const { entries } of sockets) for (const { name, tls } of entries) if (tls !== null) policies.set(name, tls);
  return policies;
}

/** Equal for listeners that share a socket. Ports that the system chooses are never shared. */
export function socketKey({ address, port, name }: ListenerConfig): string {
  return port === 0 ? `${address} 0 ${name}` : `${address} ${port}`;
}

function entryOf(config: ListenerConfig, tls: TlsPolicy | null): ListenerEntry {
  return {
    name: config.name,
    protocol: config.protocol,
    hostnames: config.hostnames,
    tls,
    hasHttp2: config.hasHttp2,
    expectsProxyProtocol: config.expectsProxyProtocol,
    own: responseFields(config),
  };
}

function tryPolicy(config: ListenerConfig, previous: Policies, issues: ConfigIssue[]): TlsPolicy | null {
  if (config.tls === null) return null;
  try {
    return createTlsPolicy(config.tls, {
      hasHttp2: config.hasHttp2,
      previous: previous.get(config.name) ?? null,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const { source } = config;
    issues.push({ ...source, field: `${source.field}.tls`, message: `the runtime does not take it: ${reason}` });
    return null;
  }
}
