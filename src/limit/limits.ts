import type { Store } from "../store/store.ts";
import { type Clock, MONOTONIC_CLOCK } from "./clock.ts";
import { plainName } from "./key.ts";
import type { Limiter, LimitSpec, Limits, LimitsState } from "./limit.ts";
import { createTokenLimiter, type LimiterDeps, type TokenLimiter } from "./limiter.ts";
import { createPresence, type Presence } from "./presence.ts";
import { createSweep } from "./sweep.ts";
import { MICRO } from "./units.ts";

const DEADLINE_MS = 25;
const MOST_KEYS = 1_000_000;

export interface LimitsOptions {
  readonly store: Store;
  /**
   * This gateway's id among those that share the store: the same after a restart, of no other gateway, and of no other
   * process. Null: no other gateway shares it, as with a memory store.
   */
  readonly gateway: string | null;
  /** Gateways to assume while the store was never reached since the start; 1 by default. */
  readonly assumedGateways?: number;
  /** How long a request waits for the store before the policy for its absence decides. */
  readonly deadlineMs?: number;
  /** Keys that are held here at most, of all limiters together. */
  readonly maxKeys?: number;
  readonly clock?: Clock;
  /** A text that was never given before, of letters and digits. */
  readonly nextRun?: () => string;
}

function specKey({ name, algorithm, limit, perMs, burst, onStoreError }: LimitSpec): string {
  return JSON.stringify([algorithm, limit, perMs, burst, onStoreError, name]);
}

/** Makes the limits of a gateway over a store, which stays its owner's. `close` them. */
export function createLimits(options: LimitsOptions): Limits {
  const { store, gateway } = options;
  const clock = options.clock ?? MONOTONIC_CLOCK;
  const run = (options.nextRun ?? randomRun)();
  const limiters = new Map<string, TokenLimiter>();
  const sweep = createSweep(clock);
  const health = { isSilent: false, calls: 0 };
  const maxKeys = options.maxKeys ?? MOST_KEYS;
  let fields = 0;
  let isClosed = false;

  async function settle(): Promise<boolean> {
    const paid = await Promise.all([...limiters.values()].map((limiter) => limiter.settleShare()));
    return paid.every(Boolean);
  }

  const presence: Presence | null =
    gateway === null
      ? null
      : createPresence({
          store,
          clock,
          id: plainName(gateway),
          run,
          assumedShare: 1 / Math.max(1, options.assumedGateways ?? 1),
          settle,
          onAnswer: () => {
            health.isSilent = false;
          },
        });

  function keys(): number {
    let sum = 0;
    for (const { size } of limiters.values()) sum += size;
    return sum;
  }

  const deps: LimiterDeps = {
    store,
    clock,
    presence,
    deadlineMs: options.deadlineMs ?? DEADLINE_MS,
    nextField: () => `${run}.${(fields++).toString(36)}`,
    hasRoom: () => keys() < maxKeys,
    health,
    watch: (bucket, limiter, ticks) => {
      if (!isClosed) sweep.watch(bucket, limiter, ticks);
    },
  };

  function limiter(spec: LimitSpec): Limiter {
    const key = specKey(spec);
    const known = limiters.get(key);
    if (known !== undefined) return known;
    const made = createTokenLimiter(spec, deps);
    // Those that reloads have left behind.
    for (const [old, { size }] of limiters) if (size === 0) limiters.delete(old);
    limiters.set(key, made);
    return made;
  }

  function mode(): LimitsState["mode"] {
    const nowMs = clock.nowMs();
    if (presence === null || presence.view(nowMs) !== null) return "leased";
    return presence.localSince(nowMs) === null ? "waiting" : "local";
  }

  function state(): LimitsState {
    return {
      mode: mode(),
      gateways: presence?.gateways ?? 1,
      vanished: presence?.vanished ?? 0,
      share: (presence?.share ?? MICRO) / MICRO,
      limiters: [...limiters.values()].map((one) => one.state()),
      storeCalls: health.calls,
    };
  }

  return {
    limiter,
    opened: presence?.first ?? Promise.resolve(),
    get mode() {
      return mode();
    },
    state,
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      sweep.close();
      await Promise.all([...limiters.values()].map((one) => one.release()));
      await presence?.close();
    },
  };
}

function randomRun(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 20);
}
