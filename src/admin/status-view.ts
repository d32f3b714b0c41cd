import type { Loaded } from "../config/source.ts";
import type { StoreState } from "../store/store.ts";
import type { StatusView } from "./schemas.ts";
import type { ReadyState } from "./status.ts";

/** What a gateway's status is made from, in one process or several. */
export interface StatusFacts {
  /** Of Torii. */
  readonly version: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly ready: ReadyState;
  /** What is in force, and how many configurations were before and with it. */
  readonly loaded: Pick<Loaded, "config" | "readAt">;
  readonly configVersion: string;
  /** Where listeners accept, by name. */
  readonly addresses: ReadonlyMap<string, { readonly address: string; readonly port: number }>;
  readonly workers: StatusView["workers"];
  /** Null: everything is kept in this process. */
  readonly store: { readonly state: StoreState } | null;
  readonly registries: StatusView["registries"];
}

/** The status as it is shown. */
export function statusOf(facts: StatusFacts): StatusView {
  const { version, startedAt, ready, loaded, configVersion, workers, store, registries } = facts;
  const { config, readAt } = loaded;
  return {
    version,
    startedAt: new Date(startedAt).toISOString(),
    uptimeSeconds: Math.max(0, Math.floor((Date.now() - startedAt) / 1000)),
    zone: config.zone,
    isReady: ready.isStarted && ready.reasons.length === 0,
    reasons: ready.reasons.map(({ code, detail }) => ({ code, detail })),
    config: {
      version: configVersion,
      loadedAt: new Date(readAt).toISOString(),
      routes: config.routes.length,
      services: config.services.length,
    },
    listeners: listenersOf(facts),
    workers: [...workers],
    store: { kind: store === null ? "embedded" : "redis", state: store?.state ?? "ready" },
    registries: [...registries],
  };
}

function listenersOf({ loaded, addresses }: StatusFacts): StatusView["listeners"] {
  return loaded.config.listeners.map(({ name, protocol, address, port, hostnames }) => {
    // A port of 0 became another one.
    const open = addresses.get(name) ?? { address, port };
    return { name, protocol, address: open.address, port: open.port, hostnames: [...hostnames] };
  });
}
