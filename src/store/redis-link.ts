import type { RedisClient } from "./redis-client.ts";
import { storeFailure } from "./redis-failure.ts";
import type { StoreState, Wait } from "./store.ts";
import { abortedBy, StoreError } from "./store-error.ts";
import { timeoutOf, within } from "./wait.ts";

/** What stands between a call and the client: it knows whether there is a connection, and bounds how long a call takes. */
export interface RedisLink {
  readonly state: StoreState;
  /** Runs a step over the client. Rejects with a StoreError, or with the TypeError that the step threw. */
  call<T>(wait: Wait | undefined, step: () => Promise<T>): Promise<T>;
  /** Disconnects; calls in flight reject. */
  close(): Promise<void>;
}

type OnState = (state: StoreState, reason: string | null) => void;

/** Watches a client that has just been made. `timeoutMs` is for calls that name no time. */
export function createRedisLink(client: RedisClient, timeoutMs: number, onState: OnState): RedisLink {
  let state: StoreState = "connecting";
  let reason: string | null = null;
  let opened = (): void => {};
  /** Resolves when the first attempt to connect has come to an end, whichever. */
  const opening = new Promise<void>((resolve) => {
    opened = resolve;
  });

  function enter(next: StoreState): void {
    if (state === next || state === "closed") return;
    state = next;
    opened();
    onState(next, next === "away" ? reason : null);
  }

  function note(error: unknown): void {
    reason = error instanceof Error ? error.message || error.name : String(error);
  }

  client.on("ready", () => {
    reason = null;
    enter("ready");
  });
  client.on("error", (error: unknown) => {
    note(error);
    if (state === "connecting") enter("away");
  });
  client.on("node error", note);
  client.on("close", () => enter("away"));

  function checkState(): void {
    if (state === "closed") throw new StoreError("closed", "the store is closed");
    if (state === "away") throw new StoreError("unavailable", `Redis is away${reason === null ? "" : `: ${reason}`}`);
  }

  async function call<T>(wait: Wait | undefined, step: () => Promise<T>): Promise<T> {
    const signal = wait?.signal;
    if (signal?.aborted === true) throw abortedBy(signal, false);
    const endsAt = performance.now() + timeoutOf(wait, timeoutMs);
    const leftMs = (): number => Math.max(1, endsAt - performance.now());
    if (state === "connecting") await within(opening, { timeoutMs: leftMs(), signal, mayHaveRun: false });
    checkState();
    try {
      return await within(step(), { timeoutMs: leftMs(), signal, mayHaveRun: true });
    } catch (error) {
      if (error instanceof TypeError) throw error;
      if (state === "closed") throw new StoreError("closed", "the store is closed", { mayHaveRun: true });
      throw storeFailure(error);
    }
  }

  return {
    get state() {
      return state;
    },
    call,
    close: async () => {
      enter("closed");
      client.disconnect();
    },
  };
}
