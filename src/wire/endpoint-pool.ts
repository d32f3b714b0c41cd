import type { Attempt } from "./attempt.ts";
import type { DialOptions } from "./dial.ts";
import type { PendingBound } from "./waiting.ts";

export interface PoolOptions extends DialOptions {
  /** An idle connection is closed after so much silence. */
  readonly idleMs: number;
  /** 0 for no bound. */
  readonly maxConnections: number;
  /** Bounds those that wait for a connection, together with other pools; none unless given. */
  readonly pending?: PendingBound | null;
}

/** The connections to one endpoint, whatever is spoken on them. Retries nothing. */
export interface Pool {
  /** Attempts that were begun and have not ended, waiting ones included. */
  inFlight: number;
  readonly openConnections: number;
  /** Open connections that carry nothing now. */
  readonly idleConnections: number;
  /** Sends the attempt's request; `isFresh`: on no connection that may have gone stale with the one that failed. */
  send(attempt: Attempt, isFresh?: boolean): void;
  /** Closes idle connections now and the others when their attempts ended. */
  close(): void;
}
