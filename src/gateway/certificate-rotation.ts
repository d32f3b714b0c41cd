import type { Logger } from "pino";
import { type StoredMarks, storedMark } from "../config/certificate-store.ts";
import { createDebounce } from "../config/debounce.ts";
import type { WhatWasRead } from "../config/load-error.ts";
import type { Store } from "../store/store.ts";
import { certificateIn, isSameRedis, type OpenStore } from "./certificate-reader.ts";

/** Whoever writes a certificate publishes its name here. */
const CHANNEL = "certificates:changes";
const DEBOUNCE_MS = 100;
/** Between looks at a store that did not answer. */
const RETRY_MS = 1000;

export interface CertificateRotationOptions {
  /** Reads the configuration again; `follow` is called before it settles. */
  readonly onChange: () => Promise<unknown>;
  readonly log: Pick<Logger, "error">;
  readonly debounceMs?: number;
  readonly retryMs?: number;
  /** Ends the following. */
  readonly signal: AbortSignal;
}

/** Looks for changes of the certificates in the store. */
export interface CertificateRotation {
  /**
   * What was read, by the configuration in force and, after it, by one that was refused: what mends that may be a
   * change in the store. Null: no store is open.
   */
  follow(open: OpenStore | null, read: readonly Pick<WhatWasRead, "stored">[]): void;
}

type Marks = StoredMarks["marks"];

/** Says whether anything stands there that was not read. Rejects with a StoreError. */
async function isChanged(store: Store, marks: Marks): Promise<boolean> {
  const looks = [...marks].map(async ([name, mark]) => storedMark(await certificateIn(store, name)) !== mark);
  return (await Promise.all(looks)).includes(true);
}

/**
 * Calls after a certificate has changed, as it does when its name is published, or unnoticed while the connection was
 * lost. Rapid changes end in one call; a write of the same text is none.
 */
export function createCertificateRotation(options: CertificateRotationOptions): CertificateRotation {
  const { onChange, log, signal } = options;
  const debounce = createDebounce(options.debounceMs ?? DEBOUNCE_MS, () => void look());
  let store: Store | null = null;
  let marks: Marks = new Map();
  let subscription: AbortController | null = null;
  let retry: NodeJS.Timeout | null = null;
  let looking = Promise.resolve();

  const subscriber = {
    message: (name: string) => marks.has(name) && debounce.soon(),
    gap: debounce.soon,
  };

  function later(): void {
    if (signal.aborted || retry !== null) return;
    retry = setTimeout(() => {
      retry = null;
      void look();
    }, options.retryMs ?? RETRY_MS);
  }

  async function compare(): Promise<void> {
    const looked = store;
    if (signal.aborted || looked === null || marks.size === 0) return;
    const changed = await isChanged(looked, marks).catch(() => null);
    if (signal.aborted || looked !== store) return;
    if (changed === null) later();
    if (changed !== true) return;
    try {
      await onChange();
    } catch (error) {
      log.error({ err: error }, "reload failed");
    }
  }

  /** Looks follow one another, so a change during a reload is seen after it. */
  function look(): Promise<void> {
    looking = looking.then(compare);
    return looking;
  }

  function subscribe(to: Store | null): void {
    subscription?.abort();
    subscription = null;
    if (to === null) return;
    subscription = new AbortController();
    to.subscribe(CHANNEL, subscriber, subscription.signal);
  }

  function stop(): void {
    debounce.cancel();
    if (retry !== null) clearTimeout(retry);
    subscribe(null);
  }

  signal.addEventListener("abort", stop, { once: true });
  return {
    follow(open, read) {
      if (signal.aborted) return;
      const own = read.filter(({ stored }) => open !== null && isSameRedis(stored.redis, open.redis));
      marks = new Map(own.flatMap(({ stored }) => [...stored.marks]));
      const next = marks.size === 0 ? null : (open?.store ?? null);
      if (next !== store) subscribe(next);
      store = next;
      if ([...marks.values()].includes(null)) later();
    },
  };
}
