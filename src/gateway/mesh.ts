import type { Logger } from "pino";
import type { MeshLink, MeshScript } from "../registry/mesh-link.ts";
import { createRedisRegistry, type RedisRegistry } from "../registry/redis.ts";
import type { Registry } from "../registry/registry.ts";
import { createRedisStore } from "../store/redis.ts";
import type { RedisTarget } from "../store/redis-target.ts";
import type { ScriptReply, Store, StoreScript, StoreState } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { createMeshTelling } from "./mesh-telling.ts";
import { createCopies, type RegistryCopy } from "./registry-copy.ts";

export interface MeshOptions {
  readonly metrics: Pick<Metrics, "collect" | "counter">;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly random: () => number;
}

/** The registries in Redis that services follow. */
export interface Mesh {
  /** The registry in that Redis. It is connected while anybody watches it. */
  registryFor(target: RedisTarget): Registry;
  /** Last good copies are kept in this folder from now on; null: they are not. */
  keepIn(folder: string | null): void;
  /** False when one that is in use is away; null where none is. */
  readonly isUp: boolean | null;
  /** Services whose endpoints come from the last good copy. */
  readonly recalled: number;
  close(): void;
}

/** Lends a store's connection to the registry. */
export function meshLink(store: Store): MeshLink {
  const scripts = new WeakMap<MeshScript, StoreScript<ScriptReply>>();

  function scriptOf(script: MeshScript): StoreScript<ScriptReply> {
    const known = scripts.get(script);
    if (known !== undefined) return known;
    const made: StoreScript<ScriptReply> = {
      ...script,
      memory: () => {
        throw new TypeError(`${script.name} needs Redis`);
      },
      result: (reply) => reply,
    };
    scripts.set(script, made);
    return made;
  }

  return {
    run: (script, call) => store.script(scriptOf(script), call),
    publish: (channel, text) => store.publish(channel, text),
    follow: (channel, follower, signal) => store.subscribe(channel, follower, signal),
    isAway: (error) => error instanceof StoreError && error.isUnavailable,
  };
}

interface Opened {
  readonly store: Store;
  readonly registry: RedisRegistry;
  readonly copy: RegistryCopy;
  watchers: number;
}

function collectState(metrics: MeshOptions["metrics"], all: () => readonly Opened[]): void {
  const gauge = (name: string, help: string, read: () => number | null) =>
    metrics.collect({
      name,
      help,
      labels: ["registry"],
      type: "gauge",
      read: () => {
        const value = all().length === 0 ? null : read();
        return value === null ? [] : [{ labels: ["redis"], value }];
      },
    });
  gauge("torii_registry_up", "1 while the registry can be read, else 0; absent for one that nobody uses.", () =>
    all().every(({ registry }) => registry.isUp) ? 1 : 0,
  );
  gauge(
    "torii_registry_copy_services",
    "Services whose endpoints come from the last good copy, as the registry was not read yet.",
    () => recalledBy(all()),
  );
  gauge(
    "torii_registry_copy_age_seconds",
    "While endpoints come from the last good copy on disk: how long ago the registry was read for it.",
    () => copyAgeSeconds(all()),
  );
}

function recalledBy(opened: readonly Opened[]): number {
  return opened.reduce((sum, { registry }) => sum + registry.recalled, 0);
}

/** Of the oldest copy in use; null while none is. */
function copyAgeSeconds(opened: readonly Opened[]): number | null {
  const used = opened.filter(({ registry }) => registry.recalled > 0);
  const foundAt = used.flatMap(({ copy }) => (copy.foundAt === null ? [] : [copy.foundAt]));
  return foundAt.length === 0 ? null : Math.max(0, (Date.now() - Math.min(...foundAt)) / 1000);
}

/** Makes the directory of registries; nothing is connected before somebody watches. */
export function createMesh({ metrics, log, random }: MeshOptions): Mesh {
  const opened = new Map<string, Opened>();
  const telling = createMeshTelling({ metrics, log });
  let folder: string | null = null;
  const copies = createCopies({ folder: () => folder, log, random, onSaved: telling.saved });
  const all = () => [...opened.values()];
  collectState(metrics, all);

  function open(target: RedisTarget): Opened {
    const copy = copies.lend(target);
    // A reading says at once, and to everyone, what else the next of the period would.
    const onState = (state: StoreState) => {
      if (state === "away") registry.look();
    };
    const store = createRedisStore({ config: target, random, onState });
    const { lastGood } = copy;
    const registry = createRedisRegistry({ link: meshLink(store), lastGood, random, ...telling.events() });
    return { store, registry, copy, watchers: 0 };
  }

  function close({ store, registry, copy }: Opened): void {
    registry.close();
    copy.close();
    void store.close();
  }

  /** Counts a watch until its signal aborts; the last one closes. */
  function enter(target: RedisTarget, signal: AbortSignal): RedisRegistry {
    const key = JSON.stringify(target);
    const one = opened.get(key) ?? open(target);
    opened.set(key, one);
    one.watchers++;
    signal.addEventListener("abort", () => {
      if (--one.watchers > 0) return;
      opened.delete(key);
      close(one);
    });
    return one.registry;
  }

  return {
    registryFor: (target) => ({
      async *watch(service, signal, judge) {
        if (!signal.aborted) yield* enter(target, signal).watch(service, signal, judge);
      },
      isRecalled: (service) => opened.get(JSON.stringify(target))?.registry.isRecalled(service) ?? false,
    }),
    keepIn: (next) => {
      if (folder === next) return;
      folder = next;
      copies.renew();
    },
    get recalled() {
      return recalledBy(all());
    },
    get isUp() {
      return opened.size === 0 ? null : all().every(({ registry }) => registry.isUp);
    },
    close: () => {
      for (const one of opened.values()) close(one);
      opened.clear();
    },
  };
}
