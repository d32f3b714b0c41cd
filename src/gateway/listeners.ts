import type { Config, ListenerConfig, ShutdownConfig } from "../config/types.ts";
import { ConfigError } from "../errors.ts";
import { addressMatcher } from "../wire/address.ts";
import { ConnectionCounts, createListener, type Listener } from "../wire/listener.ts";
import type { ListenerHooks } from "../wire/listener-context.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";

/** The sockets that the gateway accepts on, kept across reloads while their addresses stay. */
export interface Listeners {
  /**
   * Opens what is new, puts the limits of this configuration in force and closes what is gone: all or nothing.
   * Throws a ConfigError when an address cannot be had.
   */
  apply(config: Config): void;
  addresses(): ReadonlyMap<string, { readonly address: string; readonly port: number }>;
  readonly connections: ConnectionCounts;
  /** Tells clients to go, then accepts no more, then waits for the last request, all within the bounds. */
  drain(shutdown: ShutdownConfig): Promise<void>;
  /** Closes everything at once. */
  terminate(): void;
}

export interface ListenersDeps {
  readonly wheel: TimerWheel;
  readonly newId: () => string;
  readonly hooks: ListenerHooks;
}

interface Open {
  readonly config: ListenerConfig;
  readonly listener: Listener;
}

/** No listener yet. */
export function createListeners(deps: ListenersDeps): Listeners {
  const connections = new ConnectionCounts();
  let open: readonly Open[] = [];
  // Closed by a reload, with requests still under way.
  const leaving = new Set<Listener>();

  function openOne(config: ListenerConfig, { limits, trustedProxies }: Config): Open {
    const listener = createListener({
      name: config.name,
      address: config.address,
      port: config.port,
      limits,
      isTrusted: addressMatcher(trustedProxies),
      connections,
      ...deps,
    });
    return { config, listener };
  }

  function leave({ listener }: Open): void {
    leaving.add(listener);
    listener.stop().then(
      () => leaving.delete(listener),
      () => leaving.delete(listener),
    );
  }

  function all(): readonly Listener[] {
    return [...open.map(({ listener }) => listener), ...leaving];
  }

  return {
    connections,
    apply(config) {
      const kept: Open[] = [];
      const opened: Open[] = [];
      for (const wanted of config.listeners) {
        const same = open.find((one) => isSame(one.config, wanted));
        if (same === undefined) opened.push(tryOpen(wanted, () => openOne(wanted, config), opened));
        else kept.push({ config: wanted, listener: same.listener });
      }
      for (const { listener } of kept) listener.update(config.limits, addressMatcher(config.trustedProxies));
      const stays = new Set(kept.map(({ listener }) => listener));
      for (const one of open) if (!stays.has(one.listener)) leave(one);
      open = [...kept, ...opened];
    },
    addresses: () => new Map(open.map(({ listener: { name, address, port } }) => [name, { address, port }] as const)),
    async drain({ delayMs, timeoutMs }) {
      for (const listener of all()) listener.drain();
      await Bun.sleep(delayMs);
      await within(Promise.all(all().map((listener) => listener.stop())), timeoutMs);
    },
    terminate() {
      for (const listener of all()) listener.terminate();
    },
  };
}

function isSame(a: ListenerConfig, b: ListenerConfig): boolean {
  return a.name === b.name && a.address === b.address && a.port === b.port;
}

function tryOpen(config: ListenerConfig, openIt: () => Open, opened: readonly Open[]): Open {
  try {
    return openIt();
  } catch (error) {
    for (const { listener } of opened) listener.terminate();
    const reason = error instanceof Error ? error.message : String(error);
    const where = `${config.address}:${config.port}`;
    throw new ConfigError([
      { ...config.source, message: `${where} cannot be listened on (${reason}); choose another` },
    ]);
  }
}

/** Waits for work, but not longer; no timer is left behind, for it would keep the process alive. */
async function within(work: Promise<unknown>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  await Promise.race([work, late.promise]);
  clearTimeout(timer);
}
