import type { Store } from "../../src/store/store.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { eventually } from "../support/load.ts";

/** One follower of a channel, and what it was told. */
export interface Follower extends AsyncDisposable {
  readonly seen: readonly string[];
  readonly gaps: number;
  /** Waits until it was told so often that it stands. */
  standing(times: number, timeoutMs?: number): Promise<void>;
  /** The first messages, as soon as there are so many. */
  texts(count: number): Promise<readonly string[]>;
  end(): void;
}

export function follow(store: Store, channel: string): Follower {
  const abort = new AbortController();
  const seen: string[] = [];
  let gaps = 0;
  const subscriber = {
    message: (text: string) => void seen.push(text),
    gap: () => {
      gaps++;
    },
  };
  store.subscribe(channel, subscriber, abort.signal);
  return {
    seen,
    get gaps() {
      return gaps;
    },
    standing: (times, timeoutMs) => eventually(() => gaps >= times, `${channel} stands`, timeoutMs),
    texts: async (count) => {
      await eventually(() => seen.length >= count, `${count} messages of ${channel}`);
      return seen;
    },
    end: () => abort.abort(),
    [Symbol.asyncDispose]: async () => abort.abort(),
  };
}

/** The code of the StoreError with which a call fails. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return error instanceof StoreError ? error.code : `no StoreError: ${error}`;
  }
  return "no error";
}
