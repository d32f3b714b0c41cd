import type { ScriptState } from "./store.ts";
import { StoreError } from "./store-error.ts";

interface Entry {
  readonly value: string | Map<string, string>;
  /** Milliseconds since 1970; Infinity: never. */
  endsAt: number;
}

/** Keys looked at with every change, so that what nobody asks for any more does not stay. */
const SWEPT = 4;

/** The keys of a memory store. */
export interface MemoryState extends ScriptState {
  has(key: string): boolean;
  /** Reads the clock: until the next call it stands still. */
  begin(): void;
  /** Drops hashes that were left empty, and a few keys whose time is over: to be called after each change. */
  settle(): void;
  /** How many keys are held, expired ones included. */
  readonly size: number;
  clear(): void;
}

/** Makes an empty state over a clock in milliseconds since 1970. */
export function createMemoryState(now: () => number): MemoryState {
  const entries = new Map<string, Entry>();
  /** Hashes that were handed out since the last `settle`. */
  const hashes = new Set<string>();
  let nowMs = 0;
  let sweep = entries.entries();

  function entryOf(key: string): Entry | null {
    const entry = entries.get(key);
    if (entry === undefined) return null;
    if (entry.endsAt > nowMs) return entry;
    entries.delete(key);
    return null;
  }

  function textOf(key: string): string | null {
    const value = entryOf(key)?.value ?? null;
    if (value instanceof Map) throw wrongType(key);
    return value;
  }

  function hashOf(key: string): Map<string, string> {
    hashes.add(key);
    const known = entryOf(key)?.value;
    if (known instanceof Map) return known;
    if (known !== undefined) throw wrongType(key);
    const value = new Map<string, string>();
    entries.set(key, { value, endsAt: Number.POSITIVE_INFINITY });
    return value;
  }

  function sweepOne(): void {
    const { value, done } = sweep.next();
    if (done === true) sweep = entries.entries();
    else if (value[1].endsAt <= nowMs) entries.delete(value[0]);
  }

  return {
    get nowMicros() {
      return Math.floor(nowMs * 1000);
    },
    get size() {
      return entries.size;
    },
    begin: () => {
      nowMs = now();
    },
    has: (key) => entryOf(key) !== null,
    get: textOf,
    set: (key, value, ttlMs) => void entries.set(key, { value, endsAt: nowMs + (ttlMs ?? Number.POSITIVE_INFINITY) }),
    delete: (key) => void entries.delete(key),
    hash: hashOf,
    expire: (key, ttlMs) => {
      const entry = entryOf(key);
      if (entry !== null) entry.endsAt = nowMs + ttlMs;
    },
    settle: () => {
      for (const key of hashes) {
        const value = entries.get(key)?.value;
        if (value instanceof Map && value.size === 0) entries.delete(key);
      }
      hashes.clear();
      for (let left = SWEPT; left > 0; left--) sweepOne();
    },
    clear: () => entries.clear(),
  };
}

function wrongType(key: string): StoreError {
  return new StoreError("refused", `${key} holds a value of another kind`);
}
