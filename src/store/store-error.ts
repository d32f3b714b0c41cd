/**
 * Why a call to the store failed:
 * - `unavailable`: there is no connection, it was lost, or the store says that it cannot serve now;
 * - `timed_out`: no answer within the time;
 * - `aborted`: the caller's signal; its reason is the cause;
 * - `refused`: the store understood and said no: a key of another type, a script's error, a missing right;
 * - `closed`: the store was closed here.
 */
export type StoreErrorCode = "unavailable" | "timed_out" | "aborted" | "refused" | "closed";

export interface StoreErrorOptions {
  readonly cause?: unknown;
  /** The call was sent, and may yet have its effect. */
  readonly mayHaveRun?: boolean;
}

/** The only error of a call to the store. It never becomes a response as it is: whoever called decides what it means. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** False: the call had no effect and will have none. */
  readonly mayHaveRun: boolean;

  constructor(code: StoreErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.mayHaveRun = options.mayHaveRun ?? false;
  }

  /** The store is away, not the call wrong: what a policy for the store's absence is about. */
  get isUnavailable(): boolean {
    return this.code === "unavailable" || this.code === "timed_out" || this.code === "closed";
  }
}

/** What a call rejects with when its caller's signal aborts. */
export function abortedBy(signal: AbortSignal, mayHaveRun: boolean): StoreError {
  return new StoreError("aborted", "the caller no longer waits for the store", { cause: signal.reason, mayHaveRun });
}
