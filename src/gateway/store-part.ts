import type { Logger } from "pino";
import { createStore } from "../store/open.ts";
import type { Store, StoreState } from "../store/store.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { UNCHANGED } from "./prepared.ts";
import { createSidePart, type SidePart } from "./side-servers.ts";

export interface StorePartOptions {
  readonly metrics: Pick<Metrics, "collect">;
  readonly log: Pick<Logger, "info" | "warn">;
  /** The configuration's file, for faults. */
  readonly file: string;
}

function tell(state: StoreState, reason: string | null, log: StorePartOptions["log"]): void {
  if (state === "ready") log.info({}, "store is ready");
  else if (state === "away")
    log.warn({ reason: reason ?? "Redis closed the connection" }, "store is away: connecting goes on");
}

/** The store that is shared through Redis, where one is configured; another is opened only for another Redis. */
export function createStorePart({ metrics, log, file }: StorePartOptions): SidePart<Store> {
  const part = createSidePart<Store>({
    key: ({ redis }) => redis,
    open: ({ redis }) =>
      redis === null ? null : createStore(redis, { onState: (state, reason) => tell(state, reason, log) }),
    field: "redis",
    file,
    onChange() {},
  });
  metrics.collect({
    name: "torii_store_up",
    help: "1 while Redis can be reached, else 0; absent without redis.",
    type: "gauge",
    read: () => (part.current === null ? [] : [{ labels: [], value: part.current.state === "ready" ? 1 : 0 }]),
  });
  return part;
}

/** No store, for a process whose supervisor has one and tells it what stands there. */
export const NO_STORE: SidePart<Store> = { current: null, prepare: () => UNCHANGED, async close() {} };
