import { createMemoryStore } from "../store/memory.ts";
import { durationText } from "../telemetry/duration.ts";
import type { Limiter, LimitMode, LimitSpec, Limits } from "./limit.ts";
import { createLimits } from "./limits.ts";
import type { Quota, QuotaSpec, QuotaWindow } from "./quota.ts";
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

/** The limits of one configuration, which knows where each stands. */
export interface ConfigLimits extends PluginLimits {
  /** The same limits for a use of a plugin at that place, in words: faults of others name it. */
  at(place: string): PluginLimits;
}

export interface PluginLimitsOptions {
  /** Asked when the first limiter is. */
  readonly limits: () => Limits;
  readonly counter: (limit: string, kind?: LimitKind) => CountDecision;
  /** Told of each quota. */
  readonly onQuota?: (quota: KnownQuota) => void;
}

/** What limits of one name must have in common, by the words of the configuration. */
type Facts = Readonly<Record<string, string | number>>;

/** A limit that was made, and where. */
interface Made {
  readonly facts: Facts;
  readonly place: string;
}

/** Null: they are alike. */
function differenceOf(made: Made, facts: Facts): string | null {
  const unlike = Object.keys(facts).filter((key) => made.facts[key] !== facts[key]);
  // A burst that nobody wrote is as great as the limit.
  const isOwn = (key: string) => key !== "burst" || !unlike.includes("limit") || facts["burst"] !== facts["limit"];
  const told = unlike.filter(isOwn).map((key) => `its ${key} is ${made.facts[key]}, not ${facts[key]}`);
  return told.length === 0 ? null : told.join("; ");
}

/** The limits of one configuration. */
export function createPluginLimits({ limits, counter, onQuota }: PluginLimitsOptions): ConfigLimits {
  const known = new Map<string, Made>();

  function check(kind: LimitKind, name: string, { facts, place }: Made): void {
    const key = `${kind} ${name}`;
    const before = known.get(key);
    const difference = before === undefined ? null : differenceOf(before, facts);
    if (before !== undefined && difference !== null) {
      const where = before.place === "" ? "" : ` at ${before.place}`;
      throw new RangeError(
        `another limit${where} is named ${name} and differs from this: ${difference}; give one of them another name`,
      );
    }
    if (before === undefined) known.set(key, { facts, place });
  }

  const at = (place: string): PluginLimits => ({
    counter,
    limiter: (spec, by = "") => {
      const { name, algorithm, limit, perMs, burst, onStoreError } = spec;
      const facts = { algorithm, limit, per: durationText(perMs), burst, onStoreError, by };
      check("rate_limit", name, { facts, place });
      return limits().limiter(spec);
    },
    quota: (spec, keys) => {
      const { name, window, limit, onStoreError } = spec;
      check("quota", name, { facts: { limit, ...windowFacts(window), onStoreError, by: keys.words }, place });
      const quota = limits().quota(spec);
      onQuota?.({ spec, keys });
      return quota;
    },
    slots: (spec, by = "") => {
      const { name, limit, onStoreError } = spec;
      check("concurrency_limit", name, { facts: { limit, onStoreError, by }, place });
      return limits().slots(spec);
    },
  });

  return { ...at(""), at };
}

function windowFacts(window: QuotaWindow): Facts {
  if ("rollingMs" in window) return { period: `rolling ${durationText(window.rollingMs)}` };
  return { period: `${window.per} of ${window.timeZone}` };
}

/** Limits within this process, with everything that a plugin finds in a gateway: for tests of plugins. */
export interface MemoryLimits extends ConfigLimits {
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
