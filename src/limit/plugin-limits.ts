import { createMemoryStore } from "../store/memory.ts";
import type { Limiter, LimitMode, LimitSpec, Limits } from "./limit.ts";
import { createLimits } from "./limits.ts";

/** What became of a request at a limit; `exempt`: its list lets it pass uncounted. */
export type LimitOutcome = "admitted" | "refused" | "shadow_refused" | "exempt";

/** Counts what became of requests. `exempt` has no mode; give it the one of a limit that is in order. */
export type CountDecision = (outcome: LimitOutcome, mode: LimitMode) => void;

/** The gateway's limits, as plugins of one configuration have them. */
export interface PluginLimits {
  /**
   * The limiter of a spec. Gateways and routes that name the same limit share its counts, so within a configuration
   * limits of one name must be equal, in their numbers and in `keys`, which says in words what keys are made from.
   * Throws an Error for limits that are not, and for numbers that are none of a limit.
   */
  limiter(spec: LimitSpec, keys?: string): Limiter;
  /** Counts in `torii_rate_limit_decisions_total`, under the name of a limit. To be taken once. */
  counter(limit: string): CountDecision;
}

export interface PluginLimitsOptions {
  /** Asked when the first limiter is. */
  readonly limits: () => Limits;
  readonly counter: (limit: string) => CountDecision;
}

/** The limits of one configuration. */
export function createPluginLimits({ limits, counter }: PluginLimitsOptions): PluginLimits {
  const known = new Map<string, string>();
  return {
    counter,
    limiter: (spec, keys = "") => {
      const text = JSON.stringify([spec.algorithm, spec.limit, spec.perMs, spec.burst, spec.onStoreError, keys]);
      const before = known.get(spec.name);
      if (before !== undefined && before !== text) {
        throw new RangeError(
          `another limit is named ${spec.name} and differs from this; give one of them another name`,
        );
      }
      known.set(spec.name, text);
      return limits().limiter(spec);
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
