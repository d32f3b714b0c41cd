import type { Wait } from "./store.ts";
import { abortedBy, StoreError } from "./store-error.ts";

export interface Bounds {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Something was sent that may have its effect though nobody waits for it any more. */
  readonly mayHaveRun: boolean;
}

/**
 * What the call gives, unless the time is over or the signal aborts first: then a StoreError. The call itself is not
 * ended by that: what it gives later is dropped.
 */
export function within<T>(call: Promise<T>, { timeoutMs, signal, mayHaveRun }: Bounds): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    const abort = (): void => {
      finish();
      if (signal !== undefined) reject(abortedBy(signal, mayHaveRun));
    };
    const timer = setTimeout(() => {
      finish();
      reject(new StoreError("timed_out", `no answer from the store within ${Math.ceil(timeoutMs)} ms`, { mayHaveRun }));
    }, timeoutMs);
    signal?.addEventListener("abort", abort);
    call.then(
      (value) => {
        finish();
        resolve(value);
      },
      (error) => {
        finish();
        reject(error);
      },
    );
  });
}

/** The time a call may take; throws a TypeError for one that is not above 0. */
export function timeoutOf(wait: Wait | undefined, ownMs: number): number {
  const timeoutMs = wait?.timeoutMs ?? ownMs;
  if (!(timeoutMs > 0)) throw new TypeError(`timeoutMs must be above 0, not ${timeoutMs}`);
  return timeoutMs;
}
