import type { ListenerConfig } from "../config/types.ts";
import { listenFault } from "../gateway/listeners.ts";
import type { Prepared } from "../gateway/prepared.ts";
import { socketKey } from "../gateway/socket-plan.ts";
import { createSocketGroup, type SocketGroup } from "./socket-group.ts";

/** One socket for one slot's worker. */
export interface SlotSocket {
  readonly key: string;
  readonly fd: number;
  /** Where it really listens. */
  readonly port: number;
}

/** What a set of listeners needs beside what is open. */
export interface PreparedSockets extends Prepared {
  /** False when the same addresses and ports are listened on as before, whatever the number of slots. */
  readonly isChanged: boolean;
}

/** The listening sockets of all slots. */
export interface Sockets {
  /**
   * Opens what is missing for these listeners and slots 1 to `slots`; `forSlot` goes by it from then on. `commit` closes
   * what is wanted no more, `abort` what was opened. Throws a ConfigError, and changes nothing.
   */
  prepare(listeners: readonly ListenerConfig[], slots: number): PreparedSockets;
  /** What the worker of a slot is to be given. */
  forSlot(slot: number): readonly SlotSocket[];
  /** Where each listener is, by name. */
  addresses(): ReadonlyMap<string, { readonly address: string; readonly port: number }>;
  /** Tells by which slots a socket's key is served. False when connections may wait where nobody serves. */
  steer(isServed: (slot: number, key: string) => boolean): boolean;
  closeAll(): void;
}

/** Listeners by the key of their socket, which several may share. */
type Wanted = ReadonlyMap<string, readonly ListenerConfig[]>;

interface State {
  readonly groups: Map<string, SocketGroup>;
  wanted: Wanted;
  slots: number;
}

interface Opened {
  readonly group: SocketGroup;
  readonly slot: number;
}

/** No socket yet. */
export function createSockets(): Sockets {
  const state: State = { groups: new Map(), wanted: new Map(), slots: 0 };
  const { groups } = state;
  return {
    prepare: (listeners, slots) => prepare(listeners, slots, state),
    forSlot: (slot) =>
      [...state.wanted.keys()].flatMap((key) => {
        const group = groups.get(key);
        const fd = group?.fdOf(slot) ?? null;
        return group === undefined || fd === null ? [] : [{ key, fd, port: group.port }];
      }),
    addresses: () => addresses(state),
    steer: (isServed) =>
      [...groups].map(([key, group]) => group.steer((slot) => isServed(slot, key))).every((isSteered) => isSteered),
    closeAll() {
      for (const [key, group] of groups) drop(key, group, state);
    },
  };
}

function addresses({ groups, wanted }: State): ReturnType<Sockets["addresses"]> {
  const places = [...wanted].flatMap(([key, listeners]) =>
    listeners.map(({ name, address, port }) => [name, { address, port: groups.get(key)?.port ?? port }] as const),
  );
  return new Map(places);
}

function prepare(listeners: readonly ListenerConfig[], slots: number, state: State): PreparedSockets {
  const { wanted: before, slots: slotsBefore } = state;
  const next: Wanted = Map.groupBy(listeners, socketKey);
  const opened = openAll(next, slots, state);
  const isChanged = next.size !== before.size || [...next.keys()].some((key) => !before.has(key));
  state.wanted = next;
  state.slots = slots;
  return {
    isChanged,
    commit: () => closeUnwanted(state),
    abort() {
      state.wanted = before;
      state.slots = slotsBefore;
      takeBack(opened, state);
    },
  };
}

function openAll(next: Wanted, slots: number, state: State): readonly Opened[] {
  const opened: Opened[] = [];
  for (const [key, [listener]] of next) {
    if (listener === undefined) continue;
    const group = groupOf(key, listener, state);
    try {
      for (let slot = 1; slot <= slots; slot++) if (group.open(slot)) opened.push({ group, slot });
    } catch (error) {
      takeBack(opened, state);
      throw listenFault(listener, error);
    }
  }
  return opened;
}

function groupOf(key: string, { address, port }: ListenerConfig, { groups }: State): SocketGroup {
  const group = groups.get(key) ?? createSocketGroup(address, port);
  groups.set(key, group);
  return group;
}

function takeBack(opened: readonly Opened[], state: State): void {
  for (const { group, slot } of opened.toReversed()) group.close(slot);
  for (const [key, group] of state.groups) if (!state.wanted.has(key)) drop(key, group, state);
}

function closeUnwanted(state: State): void {
  for (const [key, group] of state.groups) {
    if (!state.wanted.has(key)) drop(key, group, state);
    else for (let slot = state.slots + 1; group.fdOf(slot) !== null; slot++) group.close(slot);
  }
}

function drop(key: string, group: SocketGroup, { groups }: State): void {
  group.closeAll();
  groups.delete(key);
}
