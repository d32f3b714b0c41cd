import type { Logger } from "pino";
import type { MeshLink, MeshScript } from "../registry/mesh-link.ts";
import { createRedisRegistry, type RedisRegistry } from "../registry/redis.ts";
import type { Registry } from "../registry/registry.ts";
import { createRedisStore } from "../store/redis.ts";
import type { RedisTarget } from "../store/redis-target.ts";
import type { ScriptReply, Store, StoreScript } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export interface MeshOptions {
  readonly metrics: Pick<Metrics, "collect" | "counter">;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly random: () => number;
}

/** The registries in Redis that services follow. */
export interface Mesh {
  /** The registry in that Redis. It is connected while anybody watches it. */
  registryFor(target: RedisTarget): Registry;
  /** False when one that is in use is away; null where none is. */
  readonly isUp: boolean | null;
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
  watchers: number;
}

/** Makes the directory of registries; nothing is connected before somebody watches. */
export function createMesh({ metrics, log, random }: MeshOptions): Mesh {
  const opened = new Map<string, Opened>();
  const ignored = metrics.counter({
    name: "torii_registry_ignored_total",
    help: "Endpoints in the registry that are not used, by what is wrong with them; each is counted once.",
    labels: ["service", "reason"],
  });
  metrics.collect({
    name: "torii_registry_up",
    help: "1 while the registry can be read, else 0; absent for one that nobody uses.",
    labels: ["registry"],
    type: "gauge",
    read: () => (opened.size === 0 ? [] : [{ labels: ["redis"], value: isUp() ? 1 : 0 }]),
  });

  function isUp(): boolean {
    return [...opened.values()].every(({ registry }) => registry.isUp);
  }

  function open(target: RedisTarget): Opened {
    const store = createRedisStore({ config: target, random });
    const registry = createRedisRegistry({
      link: meshLink(store),
      random,
      onState: (isNowUp, reason) => {
        if (isNowUp) log.info({ registry: "redis" }, "registry is back");
        else log.warn({ registry: "redis", reason }, "registry is away: endpoints stay as last known");
      },
      onIgnored: (service, { id, reason, detail }) => {
        ignored.of(service, reason).add();
        log.warn({ service, endpoint: id, reason, detail }, "endpoint in the registry ignored");
      },
      onRefused: (service, reason) => log.warn({ service, reason }, "registry refused: endpoints stay as last known"),
    });
    return { store, registry, watchers: 0 };
  }

  function close({ store, registry }: Opened): void {
    registry.close();
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
      async *watch(service, signal) {
        if (!signal.aborted) yield* enter(target, signal).watch(service, signal);
      },
    }),
    get isUp() {
      return opened.size === 0 ? null : isUp();
    },
    close: () => {
      for (const one of opened.values()) close(one);
      opened.clear();
    },
  };
}
