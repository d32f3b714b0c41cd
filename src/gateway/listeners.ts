import type { Config, ListenerConfig, ShutdownConfig } from "../config/types.ts";
import { ConfigError, GatewayError } from "../errors.ts";
import type { AcceptGate } from "../wire/accept-gate.ts";
import { addressMatcher } from "../wire/address.ts";
import { createListener, type Listener } from "../wire/listener.ts";
import type { ListenerHooks, ServerConnection } from "../wire/listener-context.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { Prepared } from "./prepared.ts";
import { type PlannedSocket, planSockets, policiesOf } from "./socket-plan.ts";
import { within } from "./within.ts";

/** Where a listener accepts. */
export interface ListenerAddress {
  readonly address: string;
  readonly port: number;
}

/** The sockets that the gateway accepts on, kept across reloads while their addresses stay. */
export interface Listeners {
  /** Opens what this configuration adds; the rest happens with `commit`. Throws a ConfigError for a taken address. */
  prepare(config: Config): Prepared;
  addresses(): ReadonlyMap<string, ListenerAddress>;
  /** Tells clients to go, then accepts no more, then waits for the last request, all within the bounds. */
  drain(shutdown: ShutdownConfig, manner?: DrainManner): Promise<void>;
  /** Closes connections on which nothing has been under way for so long. */
  closeIdle(forMs: number): void;
  /** Breaks off connections whose clients let the most bytes wait, until so many are freed; returns their number. */
  cutSlowest(bytes: number): number;
  /** Closes everything at once. */
  terminate(): void;
}

export interface DrainManner {
  /** Accepting stops first: somebody else accepts on the same sockets. */
  readonly isRelieved: boolean;
  /** The gateway goes on without this process: clients that keep a connection get the time to be told to leave it. */
  readonly isPatient: boolean;
}

/** A socket that was opened elsewhere. */
export interface HandedSocket {
  /** The listener that takes it closes it. */
  readonly fd: number;
  /** Where it really listens, also when the configuration leaves that to the system. */
  readonly port: number;
}

export interface ListenersDeps {
  /** Gives a descriptor of its own at each call, or null where none was handed over. Left out: listeners open theirs. */
  readonly socketFor?: (listener: ListenerConfig) => HandedSocket | null;
  readonly wheel: TimerWheel;
  readonly newId: () => string;
  readonly hooks: ListenerHooks;
  /** Counts the connections of all listeners. */
  readonly gate: AcceptGate;
}

/**
 * To close a connection between two requests fails the one that is on its way already. So, where there is time, only
 * those are closed whose clients have been silent for so long, and looked for so often.
 */
const SILENT_MS = 10_000;
const LOOK_MS = 250;

interface Open extends PlannedSocket {
  readonly listener: Listener;
}

/** No listener yet. */
export function createListeners(deps: ListenersDeps): Listeners {
  let open: readonly Open[] = [];
  // Closed by a reload, with requests still under way.
  const leaving = new Set<Listener>();

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

  function goOn(next: readonly Open[], { limits, trustedProxies }: Config): void {
    const isTrusted = addressMatcher(trustedProxies);
    for (const { listener, entries } of next) listener.update({ entries, limits, isTrusted });
    const stays = new Set(next.map(({ listener }) => listener));
    for (const one of open) if (!stays.has(one.listener)) leave(one);
    open = next;
  }

  function prepare(config: Config): Prepared {
    const opened: Open[] = [];
    const next = planSockets(config.listeners, policiesOf(open)).map((planned): Open => {
      const same = open.find(({ key }) => key === planned.key);
      if (same !== undefined) return { ...planned, listener: same.listener };
      const made = tryOpen(planned.config, () => openListener(planned, config, deps), opened);
      opened.push(made);
      return made;
    });
    return {
      commit: () => goOn(next, config),
      abort() {
        for (const { listener } of opened) listener.terminate();
      },
    };
  }

  return {
    prepare,
    addresses: () => new Map(open.flatMap(addressesOf)),
    async drain({ delayMs, timeoutMs }, manner) {
      for (const listener of all()) listener.drain();
      if (manner?.isRelieved) for (const listener of all()) listener.stopAccepting();
      await Bun.sleep(delayMs);
      for (const listener of all()) listener.goAway();
      if (manner?.isPatient) await waitForClients(all(), timeoutMs);
      else await within(Promise.all(all().map((listener) => listener.stop())), timeoutMs);
    },
    cutSlowest: (bytes) =>
      cutSlowest(
        all().flatMap((listener) => listener.connections()),
        bytes,
      ),
    closeIdle(forMs) {
      for (const listener of all()) listener.closeIdle(forMs);
    },
    terminate() {
      for (const listener of all()) listener.terminate();
    },
  };
}

/** Lets clients have their answers, and be told to go by them, for as long as there is time. */
async function waitForClients(listeners: readonly Listener[], timeoutMs: number): Promise<void> {
  for (const listener of listeners) listener.stopAccepting();
  const closeSilent = () => {
    for (const listener of listeners) listener.closeIdle(SILENT_MS);
  };
  closeSilent();
  const looking = setInterval(closeSilent, LOOK_MS);
  await within(Promise.all(listeners.map((listener) => listener.emptied())), timeoutMs);
  clearInterval(looking);
  // What is left between requests ends in order: what is broken off afterwards is reset.
  for (const listener of listeners) void listener.stop();
}

function openListener(planned: PlannedSocket, config: Config, { socketFor, ...deps }: ListenersDeps): Open {
  const { address, port } = planned.config;
  const handed = socketFor?.(planned.config) ?? null;
  if (handed === null && socketFor !== undefined) throw new Error("this process was given no socket for it");
  const listener = createListener({
    address,
    ...(handed ?? { port }),
    entries: planned.entries,
    limits: config.limits,
    isTrusted: addressMatcher(config.trustedProxies),
    ...deps,
  });
  return { ...planned, listener };
}

function addressesOf({ entries, listener: { address, port } }: Open) {
  return entries.map(({ name }) => [name, { address, port }] as const);
}

function cutSlowest(connections: readonly ServerConnection[], bytes: number): number {
  const holding = connections.map((connection) => ({ connection, held: connection.heldBytes }));
  let freed = 0;
  let cut = 0;
  for (const { connection, held } of holding.sort((a, b) => b.held - a.held)) {
    if (held === 0 || freed >= bytes) break;
    connection.terminate(new GatewayError("client_closed", "The client left much unread while memory was short."));
    freed += held;
    cut++;
  }
  return cut;
}

function tryOpen(config: ListenerConfig, openIt: () => Open, opened: readonly Open[]): Open {
  try {
    return openIt();
  } catch (error) {
    for (const { listener } of opened) listener.terminate();
    throw listenFault(config, error);
  }
}

/** What to tell of a listener that could not be opened, by the error's `code`. */
export function listenFault(config: ListenerConfig, error: unknown): ConfigError {
  const where = `${config.address}:${config.port}`;
  return new ConfigError([{ ...config.source, message: `${where} ${whyNot(error)}` }]);
}

function whyNot(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "EADDRINUSE") return "is taken by another process; end that one, or choose another port";
  if (code === "EACCES") return "may not be listened on by this user; choose a port from 1024 on";
  if (code === "EADDRNOTAVAIL") return "is no address of this machine; choose one that is, or 0.0.0.0 for all";
  return `cannot be listened on (${error instanceof Error ? error.message : String(error)}); choose another`;
}
