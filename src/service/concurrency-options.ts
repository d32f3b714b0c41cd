/** Whose turn it is in a queue: `high` before `normal` before `low`. */
export type Priority = "high" | "normal" | "low";

/** How a limit follows what the service can do. */
export interface AdaptiveOptions {
  /** Where it begins. */
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  /** From one look at the response times to the next, at the least. */
  readonly intervalMs: number;
  /** Of the response times within an interval, 0 to 1: the one that counts. */
  readonly percentile: number;
  /** Response times up to so many times those of the unhurried service are no sign of a queue; 1 or more. */
  readonly tolerance: number;
  /** How far it goes towards its new value in an interval, over 0 to 1. */
  readonly smoothing: number;
  /** How often the unhurried service's response time is measured anew while requests wait. */
  readonly minRttIntervalMs: number;
}

/** Where requests wait that are beyond the limit. */
export interface QueueOptions {
  /** Of all priorities together. */
  readonly size: number;
  readonly timeoutMs: number;
}

/** How many requests a service has at once. */
export interface ConcurrencyOptions {
  /** A number that stays. */
  readonly limit: number | AdaptiveOptions;
  /** Null: what is beyond the limit is refused at once. */
  readonly queue: QueueOptions | null;
}
