import type { Logger } from "pino";
import type { LimitsView } from "../admin/limits-schema.ts";
import type { LimitsLoan } from "../config/compile.ts";
import type { Config } from "../config/types.ts";
import type { LimiterState, Limits, LimitsState } from "../limit/limit.ts";
import { createLimits } from "../limit/limits.ts";
import { createPluginLimits } from "../limit/plugin-limits.ts";
import { createMemoryStore } from "../store/memory.ts";
import { createStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { gatewayId } from "./gateway-id.ts";
import { createLimitsMetrics } from "./limits-metrics.ts";
import { within } from "./within.ts";

/** How often it is looked whether the mode is another one; nobody who asks for the state waits for that. */
const LOOK_MS = 250;
/** Handing leases back must not hold up the end: those that are not handed back run out by themselves. */
const GOODBYE_MS = 2000;

/** The limits of this process: opened for the first configuration that has any, and kept as long as one uses them. */
export interface LimitsPart {
  /** For a configuration that is being compiled. With the same Redis it is the same limits, with all their counts. */
  lend(config: Pick<Config, "redis" | "listeners" | "workers">): LimitsLoan;
  /** Null while no configuration has a limit. */
  view(): LimitsView | null;
  /** Hands leases back and closes the stores. */
  close(): Promise<void>;
}

export interface LimitsPartOptions {
  readonly metrics: Pick<Metrics, "collect" | "counter">;
  readonly log: Pick<Logger, "info" | "warn">;
  /** Of this process among those of the gateway. */
  readonly seat: number;
}

interface Opened {
  readonly kind: "embedded" | "redis";
  readonly limits: Limits;
  readonly store: Store;
  /** Configurations that hold it. */
  users: number;
  mode: LimitsState["mode"];
}

const MODES: Readonly<Record<LimitsState["mode"], string>> = {
  leased: "limits are exact again: the store lends tokens",
  waiting: "limits wait for the store: what it lent is spent",
  local: "limits are local: this gateway enforces its share, as the store is away",
};

type LimitsConfig = Pick<Config, "redis" | "listeners" | "workers">;

function open({ redis, listeners, workers }: LimitsConfig, seat: number): Opened {
  const store = redis === null ? createMemoryStore() : createStore(redis);
  const kind = redis === null ? "embedded" : "redis";
  const gateway = redis === null ? null : gatewayId({ listeners, seat });
  // Before the store has told of others, there are at least these.
  const limits = createLimits({ store, gateway, assumedGateways: workers });
  return { kind, limits, store, users: 0, mode: "leased" };
}

async function closeOne({ limits, store }: Opened): Promise<void> {
  await within(limits.close(), GOODBYE_MS);
  await store.close();
}

/** Makes the limits of this process; nothing is open yet. */
export function createLimitsPart({ metrics, log, seat }: LimitsPartOptions): LimitsPart {
  const opened = new Map<string, Opened>();
  let closing: Promise<unknown> = Promise.resolve();
  let callsOfClosed = 0;
  let timer: ReturnType<typeof setInterval> | null = null;
  let isClosed = false;
  const current = (): Opened | null => [...opened.values()].at(-1) ?? null;
  const calls = () => [...opened.values()].reduce((sum, { limits }) => sum + limits.state().storeCalls, callsOfClosed);
  const counter = createLimitsMetrics({ metrics, state: () => current()?.limits.state() ?? null, calls });

  function look(): void {
    for (const one of opened.values()) {
      const { mode } = one.limits;
      if (mode === one.mode) continue;
      one.mode = mode;
      if (mode === "leased") log.info({ mode }, MODES[mode]);
      else log.warn({ mode }, MODES[mode]);
    }
  }

  function obtain(config: LimitsConfig): Opened {
    const key = JSON.stringify(config.redis);
    const known = opened.get(key);
    if (known !== undefined) return known;
    const made = open(config, seat);
    opened.set(key, made);
    if (timer === null) {
      timer = setInterval(look, LOOK_MS);
      timer.unref();
    }
    return made;
  }

  function leave(one: Opened): void {
    if (--one.users > 0 || isClosed) return;
    for (const [key, other] of opened) if (other === one) opened.delete(key);
    callsOfClosed += one.limits.state().storeCalls;
    closing = Promise.allSettled([closing, closeOne(one)]);
    if (opened.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  }

  return {
    lend: (config) => {
      let held: Opened | null = null;
      const limits = (): Limits => {
        if (held === null) {
          held = obtain(config);
          held.users++;
        }
        return held.limits;
      };
      return {
        limits: createPluginLimits({ limits, counter }),
        ready: () => held?.limits.opened ?? Promise.resolve(),
        release: () => {
          if (held !== null) leave(held);
        },
      };
    },
    view: () => {
      const one = current();
      return one === null ? null : viewOf(one);
    },
    close: async () => {
      isClosed = true;
      if (timer !== null) clearInterval(timer);
      await Promise.allSettled([closing, ...[...opened.values()].map(closeOne)]);
    },
  };
}

function viewOf({ kind, limits }: Opened): LimitsView {
  const { mode, gateways, vanished, share, storeCalls, limiters } = limits.state();
  return { kind, mode, gateways, vanished, share, storeCalls, limits: limiters.map(limitOf) };
}

function limitOf({
  name,
  limit,
  perMs,
  burst,
  keys,
  leased,
  admitted,
  refused,
}: LimiterState): LimitsView["limits"][number] {
  return { name, limit, perMs, burst, keys, leased, admitted, refused };
}
