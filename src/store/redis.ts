import { checkKeys, ttlOf } from "./arguments.ts";
import { backoffMs } from "./backoff.ts";
import { createRedisClient, createSubscriberClient, type RedisClientOptions } from "./redis-client.ts";
import { watchFailovers } from "./redis-failover.ts";
import { createRedisLink } from "./redis-link.ts";
import { COMPARE_AND_SET, runScript } from "./redis-scripts.ts";
import { createRedisSubscriptions } from "./redis-subscriptions.ts";
import { DEFAULT_PREFIX, type RedisTarget } from "./redis-target.ts";
import type { Exchange, ScriptCall, SetOptions, Store, StoreState } from "./store.ts";
import { StoreError } from "./store-error.ts";

export interface RedisStoreOptions {
  readonly config: RedisTarget;
  /** Stands before every key and channel, in Redis; no braces, as keys have theirs. The target's own when absent. */
  readonly prefix?: string;
  /** Milliseconds that a call may take unless it says otherwise; 500 when absent. */
  readonly timeoutMs?: number;
  /** Told every change of `state`, with the reason why it is away, if there is one. Must not throw. */
  readonly onState?: (state: StoreState, reason: string | null) => void;
  /** 0 to 1, for the times between attempts to connect. */
  readonly random?: () => number;
}

const TIMEOUT_MS = 500;

/**
 * A store in Redis: one server, a Sentinel's master, or a Cluster. It connects at once and again whenever it is lost;
 * calls made before the first attempt has ended wait for it, later ones fail at once while there is no connection.
 * One connection for calls, and one for subscriptions while there are any. `close` it.
 */
export function createRedisStore(options: RedisStoreOptions): Store {
  const prefix = prefixOf(options);
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const random = options.random ?? Math.random;
  const delayMs = (attempt: number): number => backoffMs(attempt, random);
  const clientOptions: RedisClientOptions = { target: options.config, silenceMs: timeoutMs, delayMs };
  const client = createRedisClient(clientOptions);
  const link = createRedisLink(client, timeoutMs, options.onState ?? (() => {}));
  const open = (failed: number) => createSubscriberClient(clientOptions, client, failed);
  const subscriptions = createRedisSubscriptions({ open, delayMs });
  const failovers = watchFailovers(clientOptions, () => {
    client.disconnect(true);
    subscriptions.renew();
  });
  const full = (name: string): string => prefix + name;
  const inFull = ({ keys, args }: ScriptCall): ScriptCall => ({ keys: keys.map(full), args });

  return {
    get state() {
      return link.state;
    },
    get: (key, wait) => link.call(wait, () => client.get(full(key))),
    set: (key, value, wait) => link.call(wait, async () => void (await set(full(key), value, wait))),
    delete: (key, wait) => link.call(wait, async () => (await client.del(full(key))) > 0),
    compareAndSet: (key, exchange, wait) =>
      link.call(wait, async () => {
        const call = { keys: [full(key)], args: exchangeArgs(exchange, wait) };
        return (await runScript(client, COMPARE_AND_SET, call)) === 1;
      }),
    script: (script, call, wait) =>
      link.call(wait, async () => {
        checkKeys(script.name, call);
        return script.result(await runScript(client, script, inFull(call)));
      }),
    publish: (channel, text, wait) => link.call(wait, async () => void (await client.publish(full(channel), text))),
    subscribe: (channel, subscriber, signal) => {
      if (link.state === "closed") throw new StoreError("closed", "the store is closed");
      subscriptions.follow(full(channel), subscriber, signal);
    },
    close: async () => {
      failovers.close();
      subscriptions.close();
      await link.close();
    },
  };

  async function set(key: string, value: string, wait: SetOptions | undefined): Promise<void> {
    const ttlMs = ttlOf(wait?.ttlMs);
    if (ttlMs === undefined) await client.set(key, value);
    else await client.set(key, value, "PX", ttlMs);
  }
}

function prefixOf({ config, prefix = config.prefix ?? DEFAULT_PREFIX }: RedisStoreOptions): string {
  if (/[{}]/.test(prefix)) throw new TypeError(`a store's prefix has no braces: ${prefix}`);
  return prefix;
}

function exchangeArgs({ expected, value }: Exchange, options: SetOptions | undefined): string[] {
  const ttlMs = ttlOf(options?.ttlMs);
  return [isHeld(expected), expected ?? "", isHeld(value), value ?? "", ttlMs === undefined ? "" : String(ttlMs)];
}

function isHeld(value: string | null): string {
  return value === null ? "0" : "1";
}
