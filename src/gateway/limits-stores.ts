import type { Logger } from "pino";
import type { Config } from "../config/types.ts";
import type { Limits, LimitsState } from "../limit/limit.ts";
import { createLimits } from "../limit/limits.ts";
import { createMemoryStore } from "../store/memory.ts";
import { createStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { gatewayId } from "./gateway-id.ts";
import { within } from "./within.ts";

/** How often it is looked whether the mode is another one; nobody who asks for the state waits for that. */
const LOOK_MS = 250;
/** Handing leases back must not hold up the end: those that are not handed back run out by themselves. */
const GOODBYE_MS = 2000;

const MODES: Readonly<Record<LimitsState["mode"], string>> = {
  leased: "limits are exact again: the store lends tokens",
  waiting: "limits wait for the store: what it lent is spent",
  local: "limits are local: this gateway enforces its share, as the store is away",
};

/** What of a configuration limits depend on. */
export type LimitsConfig = Pick<Config, "redis" | "listeners" | "workers">;

/** Limits over a store of their own. */
export interface OpenLimits {
  readonly kind: "embedded" | "redis";
  readonly limits: Limits;
}

interface Opened extends OpenLimits {
  readonly store: Store;
  /** What each configuration that holds it uses of it. */
  readonly users: Set<ReadonlySet<object>>;
  mode: LimitsState["mode"];
}

/** The limits that configurations hold: one for each Redis, as long as one of them does. */
export interface LimitsStores {
  /** The newest; null: there are none. */
  readonly current: OpenLimits | null;
  /** Calls to stores since the start. */
  calls(): number;
  /** Opens or finds what is for that configuration; it is held for it under the set of what it uses. */
  hold(config: LimitsConfig, used: ReadonlySet<object>): OpenLimits;
  /** Lets go of what was held: the last one closes it, and what others do not use of it is forgotten. */
  leave(held: OpenLimits, used: ReadonlySet<object>): void;
  close(): Promise<void>;
}

export interface LimitsStoresOptions {
  readonly log: Pick<Logger, "info" | "warn">;
  /** Of this process among those of the gateway. */
  readonly seat: number;
}

function open({ redis, listeners, workers }: LimitsConfig, seat: number): Opened {
  const store = redis === null ? createMemoryStore() : createStore(redis);
  const kind = redis === null ? "embedded" : "redis";
  const gateway = redis === null ? null : gatewayId({ listeners, seat });
  // Before the store has told of others, there are at least these.
  const limits = createLimits({ store, gateway, assumedGateways: workers });
  return { kind, limits, store, users: new Set(), mode: "leased" };
}

async function closeOne({ limits, store }: Opened): Promise<void> {
  await within(limits.close(), GOODBYE_MS);
  await store.close();
}

function tellMode(one: Opened, log: LimitsStoresOptions["log"]): void {
  const { mode } = one.limits;
  if (mode === one.mode) return;
  one.mode = mode;
  if (mode === "leased") log.info({ mode }, MODES[mode]);
  else log.warn({ mode }, MODES[mode]);
}

/** Nothing is open yet. */
export function createLimitsStores({ log, seat }: LimitsStoresOptions): LimitsStores {
  const opened = new Map<string, Opened>();
  let closing: Promise<unknown> = Promise.resolve();
  let callsOfClosed = 0;
  let timer: ReturnType<typeof setInterval> | null = null;
  let isClosed = false;

  function watch(): void {
    if (timer !== null) return;
    timer = setInterval(() => {
      for (const one of opened.values()) tellMode(one, log);
    }, LOOK_MS);
    timer.unref();
  }

  function closeUnused(key: string, one: Opened): void {
    opened.delete(key);
    callsOfClosed += one.limits.state().storeCalls;
    closing = Promise.allSettled([closing, closeOne(one)]);
    if (opened.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  }

  return {
    get current() {
      return [...opened.values()].at(-1) ?? null;
    },
    calls: () => [...opened.values()].reduce((sum, { limits }) => sum + limits.state().storeCalls, callsOfClosed),
    hold: (config, used) => {
      const key = JSON.stringify(config.redis);
      const one = opened.get(key) ?? open(config, seat);
      opened.set(key, one);
      one.users.add(used);
      watch();
      return one;
    },
    leave: (held, used) => {
      if (isClosed) return;
      for (const [key, one] of opened) {
        if (one !== held) continue;
        one.users.delete(used);
        if (one.users.size === 0) closeUnused(key, one);
        else one.limits.retain(new Set([...one.users].flatMap((other) => [...other])));
      }
    },
    close: async () => {
      isClosed = true;
      if (timer !== null) clearInterval(timer);
      await Promise.allSettled([closing, ...[...opened.values()].map(closeOne)]);
    },
  };
}
