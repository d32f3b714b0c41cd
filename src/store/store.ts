/** How long a call may take. */
export interface Wait {
  /** Milliseconds until the call rejects with `timed_out`; the store's own when absent. */
  readonly timeoutMs?: number;
  /** The call rejects with `aborted` when it aborts; what was sent by then may still have its effect. */
  readonly signal?: AbortSignal;
}

export interface SetOptions extends Wait {
  /** Milliseconds after which the key is gone, by the store's clock; above 0. It stays when absent. */
  readonly ttlMs?: number;
}

/** A change that is made only if the value is still the one that was seen. */
export interface Exchange {
  /** The value that must stand; null: there must be none. */
  readonly expected: string | null;
  /** The value that shall stand; null: the key is deleted. */
  readonly value: string | null;
}

/** What a script answers. Numbers are whole; a string that a script means as text is never turned into one. */
export type ScriptReply = number | string | null | readonly ScriptReply[];

export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** What a script sees of a memory store: what `redis.call` is to Lua. Each look takes expired keys for absent. */
export interface ScriptState {
  /** The store's clock in microseconds since 1970, as `TIME` gives it; it stands still while the script runs. */
  readonly nowMicros: number;
  get(key: string): string | null;
  /** Replaces what the key held, its expiry included. */
  set(key: string, value: string, ttlMs?: number): void;
  delete(key: string): void;
  /** The hash of that key, empty for a key that is not there. It may be changed; one left empty is no key. */
  hash(key: string): Map<string, string>;
  /** Sets the expiry of a key that is there. */
  expire(key: string, ttlMs: number): void;
}

/**
 * A step that nobody can come in between, written twice with one meaning: as Lua for Redis and as a function for the
 * memory store. Redis loads it once and is then told only its digest.
 */
export interface StoreScript<Result> {
  /** For messages. */
  readonly name: string;
  /** Sees the keys in `KEYS` and the arguments in `ARGV`; it must touch no other key, and give every key an expiry. */
  readonly lua: string;
  /** The same for a memory store. Must not wait. */
  readonly memory: (state: ScriptState, call: ScriptCall) => ScriptReply;
  /** Makes the result of the reply. May throw for a reply that cannot be. */
  readonly result: (reply: ScriptReply) => Result;
}

/** Follows a channel. Its functions must not throw. */
export interface Subscriber {
  message(text: string): void;
  /**
   * From now on messages come; any before may have been missed. Called when the subscription stands for the first
   * time, and after every loss of it: read the whole state then.
   */
  gap(): void;
}

/** `connecting`: for the first time; `away`: calls fail at once until the connection stands again, which is tried for ever. */
export type StoreState = "connecting" | "ready" | "away" | "closed";

/**
 * State that is shared by all gateways: keys and values are text. Each call is one round trip (a script's first one
 * may be two), none is repeated by itself, and each rejects with a StoreError only (and a TypeError for arguments that
 * make no sense). Keys of several stores with different prefixes do not meet.
 */
export interface Store {
  readonly state: StoreState;
  /** The value, or null. */
  get(key: string, wait?: Wait): Promise<string | null>;
  /** Replaces the value, and its expiry: without `ttlMs` the key then has none. */
  set(key: string, value: string, options?: SetOptions): Promise<void>;
  /** Says whether there was such a key. */
  delete(key: string, wait?: Wait): Promise<boolean>;
  /** Says whether the change was made; if not, nothing has changed. */
  compareAndSet(key: string, exchange: Exchange, options?: SetOptions): Promise<boolean>;
  /** Runs a script. There is at least one key, and all have the same `{tag}` (or are the same), as a Cluster needs. */
  script<Result>(script: StoreScript<Result>, call: ScriptCall, wait?: Wait): Promise<Result>;
  /**
   * Tells all who follow the channel now, in every gateway, this one included. In a Cluster a message may overtake
   * another.
   */
  publish(channel: string, text: string, wait?: Wait): Promise<void>;
  /**
   * Follows a channel until the signal aborts, through every loss of the connection. Nothing is called before this
   * returns, nothing after the abort. Throws a StoreError when the store is closed.
   */
  subscribe(channel: string, subscriber: Subscriber, signal: AbortSignal): void;
  /** Ends all: calls in flight reject, subscriptions end silently. Twice is no fault. */
  close(): Promise<void>;
}
