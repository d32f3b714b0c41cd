import type { Store } from "../store/store.ts";
import { type Clock, MONOTONIC_CLOCK } from "./clock.ts";
import { plainName } from "./key.ts";
import type { LimitSpec, Limits, LimitsState } from "./limit.ts";
import { createTokenLimiter, type LimiterDeps, type TokenLimiter } from "./limiter.ts";
import { createPresence, type Presence } from "./presence.ts";
import type { QuotaSpec } from "./quota.ts";
import { createQuotaLedger } from "./quota-ledger.ts";
import { createQuotaLimiter, type QuotaLimiter } from "./quota-limiter.ts";
import { windowText } from "./quota-period.ts";
import type { SlotsSpec } from "./slots.ts";
import { createSlotsLimiter, type SlotsLimiter } from "./slots-limiter.ts";
import { createSweep, type Visitor, type Watched } from "./sweep.ts";
import { MICRO } from "./units.ts";

const DEADLINE_MS = 100;
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
  /** How long a request waits for a store that does not answer before the policy for its absence decides. */
  readonly deadlineMs?: number;
  /** Keys that are held here at most, of all limiters together. */
  readonly maxKeys?: number;
  readonly clock?: Clock;
  /** Milliseconds since 1970 as the machine believes: only until the store has told its own. */
  readonly wallMs?: () => number;
  /** A text that was never given before, of letters and digits. */
  readonly nextRun?: () => string;
}

function specKey({ name, algorithm, limit, perMs, burst, onStoreError }: LimitSpec): string {
  return JSON.stringify([algorithm, limit, perMs, burst, onStoreError, name]);
}

/** Limits of one kind, each made once for all equal specs. */
interface Kind<Spec, One> {
  readonly all: ReadonlyMap<string, One>;
  obtain(spec: Spec): One;
  /** Forgets those that are not used and hold no keys. */
  retain(used: ReadonlySet<object>): void;
}

function kindOf<Spec, One extends { readonly size: number } & object>(
  keyOf: (spec: Spec) => string,
  make: (spec: Spec) => One,
): Kind<Spec, One> {
  const all = new Map<string, One>();
  return {
    all,
    obtain: (spec) => {
      const key = keyOf(spec);
      const known = all.get(key);
      if (known !== undefined) return known;
      const made = make(spec);
      all.set(key, made);
      return made;
    },
    retain: (used) => {
      for (const [key, one] of all) if (one.size === 0 && !used.has(one)) all.delete(key);
    },
  };
}

function quotaKey({ name, window, limit, onStoreError }: QuotaSpec): string {
  return JSON.stringify([windowText(window), limit, onStoreError, name]);
}

function slotsKey({ name, limit, onStoreError }: SlotsSpec): string {
  return JSON.stringify([limit, onStoreError, name]);
}

interface PresenceParts {
  readonly clock: Clock;
  readonly run: string;
  readonly health: LimiterDeps["health"];
  readonly slots: () => ReadonlyMap<string, SlotsLimiter>;
}

/** Null: nobody else shares the store. */
function presenceOf({ store, gateway, assumedGateways = 1 }: LimitsOptions, parts: PresenceParts): Presence | null {
  if (gateway === null) return null;
  return createPresence({
    store,
    clock: parts.clock,
    // No gateway is to be called as the field of the history is.
    id: `g-${plainName(gateway)}`,
    run: parts.run,
    assumedShare: 1 / Math.max(1, assumedGateways),
    settle: async () => {
      const told = await Promise.all([...parts.slots().values()].map((one) => one.settleShare()));
      return told.every(Boolean);
    },
    onAnswer: () => {
      parts.health.isSilent = false;
      parts.health.answeredMs = parts.clock.nowMs();
    },
  });
}

function modeOf(presence: Presence | null, nowMs: number): LimitsState["mode"] {
  if (presence === null || presence.view(nowMs) !== null) return "leased";
  return presence.localSince(nowMs) === null ? "waiting" : "local";
}

interface Kinds {
  readonly limiters: Kind<LimitSpec, TokenLimiter>;
  readonly quotas: Kind<QuotaSpec, QuotaLimiter>;
  readonly slots: Kind<SlotsSpec, SlotsLimiter>;
}

type KindsDeps = Omit<LimiterDeps, "watch"> & {
  readonly wallMs: () => number;
  watch<One extends Watched>(one: One, visitor: Visitor<One>, ticks: number): void;
};

function kindsOf(deps: KindsDeps): Kinds {
  return {
    limiters: kindOf(specKey, (spec: LimitSpec) => createTokenLimiter(spec, deps)),
    quotas: kindOf(quotaKey, (spec: QuotaSpec) => createQuotaLimiter(spec, deps)),
    slots: kindOf(slotsKey, (spec: SlotsSpec) => createSlotsLimiter(spec, deps)),
  };
}

function stateOf({ limiters, quotas, slots }: Kinds): Pick<LimitsState, "limiters" | "quotas" | "slots"> {
  return {
    limiters: [...limiters.all.values()].map((one) => one.state()),
    quotas: [...quotas.all.values()].map((one) => one.state()),
    slots: [...slots.all.values()].map((one) => one.state()),
  };
}

/** Makes the limits of a gateway over a store, which stays its owner's. `close` them. */
export function createLimits(options: LimitsOptions): Limits {
  const { store } = options;
  const clock = options.clock ?? MONOTONIC_CLOCK;
  const run = (options.nextRun ?? randomRun)();
  const sweep = createSweep(clock);
  const health = { isSilent: false, answeredMs: 0, calls: 0 };
  const maxKeys = options.maxKeys ?? MOST_KEYS;
  let fields = 0;
  let isClosed = false;

  const presence = presenceOf(options, { clock, run, health, slots: () => slots.all });

  function keys(): number {
    let sum = 0;
    for (const { all } of [limiters, quotas, slots]) for (const { size } of all.values()) sum += size;
    return sum;
  }

  const deps: Omit<LimiterDeps, "watch"> = {
    store,
    clock,
    presence,
    deadlineMs: options.deadlineMs ?? DEADLINE_MS,
    nextField: () => `${run}.${(fields++).toString(36)}`,
    hasRoom: () => keys() < maxKeys,
    health,
  };
  const wallMs = options.wallMs ?? Date.now;

  function watch<One extends Watched>(one: One, visitor: Visitor<One>, ticks: number): void {
    if (!isClosed) sweep.watch(one, visitor, ticks);
  }

  const kinds = kindsOf({ ...deps, wallMs, watch });
  const { limiters, quotas, slots } = kinds;

  return {
    limiter: limiters.obtain,
    quota: quotas.obtain,
    ledger: (spec) => createQuotaLedger({ store, spec, wallMs }),
    slots: slots.obtain,
    retain: (used) => {
      for (const kind of [limiters, quotas, slots]) kind.retain(used);
    },
    opened: presence?.first ?? Promise.resolve(),
    get mode() {
      return modeOf(presence, clock.nowMs());
    },
    state: () => ({
      ...stateOf(kinds),
      mode: modeOf(presence, clock.nowMs()),
      gateways: presence?.gateways ?? 1,
      vanished: presence?.vanished ?? 0,
      share: (presence?.share ?? MICRO) / MICRO,
      storeCalls: health.calls,
    }),
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      sweep.close();
      const all = [...limiters.all.values(), ...quotas.all.values(), ...slots.all.values()];
      await Promise.all(all.map((one) => one.release()));
      await presence?.close();
    },
  };
}

function randomRun(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 20);
}
