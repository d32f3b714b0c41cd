import { createMemoryStore } from "../store/memory.ts";
import type { Limiter, LimitMode, LimitSpec, Limits } from "./limit.ts";
import { createLimits } from "./limits.ts";
import type { Quota, QuotaSpec } from "./quota.ts";
import { windowText } from "./quota-period.ts";
import type { Slots, SlotsSpec } from "./slots.ts";

/**
 * What became of a request at a limit; `exempt`: its list lets it pass uncounted; `store_away`: refused, as nobody knows
 * whether the limit is reached.
 */
export type LimitOutcome = "admitted" | "refused" | "shadow_refused" | "store_away" | "shadow_store_away" | "exempt";

/** Counts what became of requests. `exempt` has no mode; give it the one of a limit that is in order. */
export type CountDecision = (outcome: LimitOutcome, mode: LimitMode) => void;

/** Which plugin counts. */
export type LimitKind = "rate_limit" | "quota" | "concurrency_limit";

/** What a quota's keys are made from. */
export interface QuotaKeys {
  readonly words: string;
  /** The key of values as clients send them, one for each part; null: there is none of these. */
  readonly ofTexts: (texts: readonly string[]) => string | null;
}

/** A quota that a configuration has, for its ledger. */
export interface KnownQuota {
  readonly spec: QuotaSpec;
  readonly keys: QuotaKeys;
}

/** The gateway's limits, as plugins of one configuration have them. */
export interface PluginLimits {
  /**
   * The limiter of a spec. Gateways and routes that name the same limit share its counts, so within a configuration
   * limits of one name must be equal, in their numbers and in `keys`, which says in words what keys are made from.
   * Throws an Error for limits that are not, and for numbers that are none of a limit.
   */
  limiter(spec: LimitSpec, keys?: string): Limiter;
  /** The quota of a spec, in the same way. Quotas and other limits have names of their own. */
  quota(spec: QuotaSpec, keys: QuotaKeys): Quota;
  /** The limit of what is in flight, in the same way. */
  slots(spec: SlotsSpec, keys?: string): Slots;
  /** Counts in `torii_KIND_decisions_total`, of `rate_limit` by default, under the name of a limit. To be taken once. */
  counter(limit: string, kind?: LimitKind): CountDecision;
}

export interface PluginLimitsOptions {
  /** Asked when the first limiter is. */
  readonly limits: () => Limits;
  readonly counter: (limit: string, kind?: LimitKind) => CountDecision;
  /** Told of each quota. */
  readonly onQuota?: (quota: KnownQuota) => void;
}

/** The limits of one configuration. */
export function createPluginLimits({ limits, counter, onQuota }: PluginLimitsOptions): PluginLimits {
  const known = new Map<string, string>();

  function check(kind: LimitKind, name: string, text: string): void {
    const before = known.get(`${kind} ${name}`);
    if (before !== undefined && before !== text) {
      throw new RangeError(`another limit is named ${name} and differs from this; give one of them another name`);
    }
    known.set(`${kind} ${name}`, text);
  }

  return {
    counter,
    limiter: (spec, keys = "") => {
      const text = JSON.stringify([spec.algorithm, spec.limit, spec.perMs, spec.burst, spec.onStoreError, keys]);
      check("rate_limit", spec.name, text);
      return limits().limiter(spec);
    },
    quota: (spec, keys) => {
      const { name, window, limit, onStoreError } = spec;
      check("quota", name, JSON.stringify([windowText(window), limit, onStoreError, keys.words]));
      const quota = limits().quota(spec);
      onQuota?.({ spec, keys });
      return quota;
    },
    slots: (spec, keys = "") => {
      const { name, limit, onStoreError } = spec;
      check("concurrency_limit", name, JSON.stringify([limit, onStoreError, keys]));
      return limits().slots(spec);
    },
  };
}

/** Limits within this process, with everything that a plugin finds in a gateway: for tests of plugins. */
export interface MemoryLimits extends PluginLimits {
  close(): Promise<void>;
}

/** Makes limits that nobody else shares; what is counted goes to `onDecision`. `close` them. */
export function createMemoryLimits(
  onDecision: (limit: string, outcome: LimitOutcome, mode: LimitMode) => void = () => {},
): MemoryLimits {
  const store = createMemoryStore();
  const limits = createLimits({ store, gateway: null });
  const counter = (limit: string): CountDecision => {
    return (outcome, mode) => onDecision(limit, outcome, mode);
  };
  return {
    ...createPluginLimits({ limits: () => limits, counter }),
    close: async () => {
      await limits.close();
      await store.close();
    },
  };
}
