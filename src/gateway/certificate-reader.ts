import * as z from "zod";
import {
  type ReadCertificate,
  type StoredCertificate,
  type StoredPair,
  storedPairs,
} from "../config/certificate-store.ts";
import type { Config, RedisConfig } from "../config/types.ts";
import { createStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";

/** Longer than a first connection takes; where Redis is known to be away, nobody waits. */
const TIMEOUT_MS = 3000;

// What else stands there is the matter of whoever wrote it.
const pairSchema = z.object({ cert: z.string(), key: z.string() });

const NO_PAIR = 'holds no certificate; write JSON: { "cert": "-----BEGIN …", "key": "-----BEGIN …" }';

/** An open store, and the Redis in which it is. */
export interface OpenStore {
  readonly store: Store;
  readonly redis: RedisConfig | null;
}

export interface CertificateReaderOptions {
  /** Read from where the configuration names the same Redis; it stays open. */
  readonly open: OpenStore | null;
  /** What to take when the store is away, for a reason in words; null: that is a fault. */
  readonly whenAway: (name: string, redis: RedisConfig, reason: string) => StoredCertificate;
}

/** Reads certificates for one loading of a configuration. */
export interface CertificateReader {
  readonly read: ReadCertificate;
  /** Closes the stores that it opened. */
  close(): Promise<void>;
}

/** The pair that the JSON is. What is wrong with it is said without showing any of it: it may be a key. */
function pairOf(text: string): StoredPair | { readonly fault: string } {
  try {
    return pairSchema.safeParse(JSON.parse(text)).data ?? { fault: NO_PAIR };
  } catch {
    return { fault: NO_PAIR };
  }
}

/** What the store holds at `certificates:NAME`. Rejects with a StoreError. */
export async function certificateIn(store: Pick<Store, "get">, name: string): Promise<StoredCertificate> {
  const text = await store.get(`certificates:${name}`, { timeoutMs: TIMEOUT_MS });
  return text === null ? null : pairOf(text);
}

/** Says whether two are the same Redis, reached in the same way. */
export function isSameRedis(one: RedisConfig | null, other: RedisConfig | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Takes the certificate that a configuration in force has of this name, if it has it of the same Redis. */
export function keptIn(config: Pick<Config, "listeners" | "redis"> | null): CertificateReaderOptions["whenAway"] {
  return (name, redis, reason) => {
    if (config === null || !isSameRedis(config.redis, redis)) return null;
    const pair = storedPairs(config).get(name);
    return pair === undefined ? null : { ...pair, warning: `cannot be read (${reason}): the one in force stays` };
  };
}

/** A reader that opens a store where none is open. Close it when the configuration is loaded. */
export function createCertificateReader({ open, whenAway }: CertificateReaderOptions): CertificateReader {
  let own: Store | null = null;

  function storeOf(redis: RedisConfig): Store {
    if (open !== null && isSameRedis(open.redis, redis)) return open.store;
    own ??= createStore(redis);
    return own;
  }

  return {
    async read(name, redis) {
      try {
        return await certificateIn(storeOf(redis), name);
      } catch (error) {
        if (!(error instanceof StoreError) || !error.isUnavailable) throw error;
        const instead = whenAway(name, redis, error.message);
        if (instead === null) throw error;
        return instead;
      }
    },
    async close() {
      await own?.close();
    },
  };
}
