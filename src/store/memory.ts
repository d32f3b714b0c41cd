import { checkKeys, ttlOf } from "./arguments.ts";
import { createMemoryState, type MemoryState } from "./memory-state.ts";
import { scriptReply } from "./script-reply.ts";
import type { Exchange, ScriptCall, SetOptions, Store, StoreScript, Subscriber, Wait } from "./store.ts";
import { abortedBy, StoreError } from "./store-error.ts";
import { createTopics, type Topics } from "./topics.ts";

export interface MemoryStoreOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * A store within this process, for one gateway without Redis. Keys without a time to live stay until they are deleted.
 * It has no timers; its calls take effect at once, and fail only by an aborted signal, for a key of another kind, or
 * after `close`.
 */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  const state = createMemoryState(options.now ?? Date.now);
  const topics = createTopics();
  let isClosed = false;

  function checkOpen(): void {
    if (isClosed) throw new StoreError("closed", "the store is closed");
  }

  async function run<T>(wait: Wait | undefined, step: () => T): Promise<T> {
    checkOpen();
    if (wait?.signal?.aborted === true) throw abortedBy(wait.signal, false);
    state.begin();
    try {
      return step();
    } finally {
      state.settle();
    }
  }

  return {
    get state() {
      return isClosed ? "closed" : "ready";
    },
    get: (key, wait) => run(wait, () => state.get(key)),
    set: (key, value, wait) => run(wait, () => state.set(key, value, ttlOf(wait?.ttlMs))),
    delete: (key, wait) => run(wait, () => deleted(state, key)),
    compareAndSet: (key, exchange, wait) => run(wait, () => exchanged(state, key, { exchange, options: wait })),
    script: (script, call, wait) => run(wait, () => answered(state, script, call)),
    publish: (channel, text, wait) => run(wait, () => publish(topics, channel, text)),
    subscribe: (channel, subscriber, signal) => {
      checkOpen();
      subscribe(topics, channel, { subscriber, signal });
    },
    close: async () => {
      isClosed = true;
      topics.clear();
      state.clear();
    },
  };
}

function deleted(state: MemoryState, key: string): boolean {
  const had = state.has(key);
  state.delete(key);
  return had;
}

interface Change {
  readonly exchange: Exchange;
  readonly options: SetOptions | undefined;
}

function exchanged(state: MemoryState, key: string, { exchange, options }: Change): boolean {
  const ttlMs = ttlOf(options?.ttlMs);
  if (state.get(key) !== exchange.expected) return false;
  if (exchange.value === null) state.delete(key);
  else state.set(key, exchange.value, ttlMs);
  return true;
}

function answered<Result>(state: MemoryState, script: StoreScript<Result>, call: ScriptCall): Result {
  checkKeys(script.name, call);
  return script.result(scriptReply(script.memory(state, call)));
}

// Messages come in a turn of their own, as they do from Redis: who publishes is not called back amid its own step.
function publish(topics: Topics, channel: string, text: string): void {
  const followers = topics.followers(channel);
  queueMicrotask(() => {
    for (const follower of followers) follower.message(text);
  });
}

interface Following {
  readonly subscriber: Subscriber;
  readonly signal: AbortSignal;
}

function subscribe(topics: Topics, channel: string, { subscriber, signal }: Following): void {
  const follower = topics.follow(channel, subscriber, signal);
  queueMicrotask(() => follower.gap());
}
