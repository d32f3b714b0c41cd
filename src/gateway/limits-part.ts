import type { Logger } from "pino";
import type { LedgerAnswer, LedgerAsk } from "../admin/ledger-schema.ts";
import type { LimitsView } from "../admin/limits-schema.ts";
import type { LimitsLoan } from "../config/compile.ts";
import type { LimiterState, Limits } from "../limit/limit.ts";
import { createPluginLimits } from "../limit/plugin-limits.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { askLedger, type HeldQuota } from "./ledger-part.ts";
import { createLimitsMetrics } from "./limits-metrics.ts";
import { createLimitsStores, type LimitsConfig, type OpenLimits } from "./limits-stores.ts";

/** The limits of this process: opened for the first configuration that has any, and kept as long as one uses them. */
export interface LimitsPart {
  /** For a configuration that is being compiled. With the same Redis it is the same limits, with all their counts. */
  lend(config: LimitsConfig): LimitsLoan;
  /** Null while no configuration has a limit. */
  view(): LimitsView | null;
  /** Reads or corrects what a quota counts. */
  ledger(ask: LedgerAsk): Promise<LedgerAnswer>;
  /** Hands leases back and closes the stores. */
  close(): Promise<void>;
}

export interface LimitsPartOptions {
  readonly metrics: Pick<Metrics, "collect" | "counter">;
  readonly log: Pick<Logger, "info" | "warn">;
  /** Of this process among those of the gateway. */
  readonly seat: number;
}

/** Makes the limits of this process; nothing is open yet. */
export function createLimitsPart({ metrics, log, seat }: LimitsPartOptions): LimitsPart {
  const stores = createLimitsStores({ log, seat });
  const state = () => stores.current?.limits.state() ?? null;
  const counter = createLimitsMetrics({ metrics, state, calls: stores.calls });
  /** Of each configuration that is held, by their names; the newest is the last. */
  const quotas = new Set<Map<string, HeldQuota>>();
  const find = (name: string) => [...quotas].findLast((known) => known.has(name))?.get(name) ?? null;
  const isOther = (name: string) => {
    const { limiters = [], slots = [] } = state() ?? {};
    return [...limiters, ...slots].some((one) => one.name === name);
  };
  return {
    lend: (config) => {
      let held: OpenLimits | null = null;
      const used = new Set<object>();
      const known = new Map<string, HeldQuota>();
      quotas.add(known);
      const limits = (): Limits => {
        held ??= stores.hold(config, used);
        return noting(held.limits, used);
      };
      return {
        limits: createPluginLimits({
          limits,
          counter,
          onQuota: (quota) => void known.set(quota.spec.name, { ...quota, limits: limits() }),
        }),
        ready: () => held?.limits.opened ?? Promise.resolve(),
        release: () => {
          quotas.delete(known);
          if (held !== null) stores.leave(held, used);
        },
      };
    },
    view: () => {
      const { current } = stores;
      return current === null ? null : viewOf(current);
    },
    ledger: (ask) => askLedger(ask, { find, isOther }),
    close: stores.close,
  };
}

/** The same limits, with what is obtained of them noted. */
function noting(limits: Limits, used: Set<object>): Limits {
  const note = <One extends object>(one: One): One => {
    used.add(one);
    return one;
  };
  return {
    limiter: (spec) => note(limits.limiter(spec)),
    quota: (spec) => note(limits.quota(spec)),
    slots: (spec) => note(limits.slots(spec)),
    ledger: limits.ledger,
    retain: limits.retain,
    opened: limits.opened,
    get mode() {
      return limits.mode;
    },
    state: limits.state,
    close: limits.close,
  };
}

function viewOf({ kind, limits }: OpenLimits): LimitsView {
  const { mode, gateways, vanished, share, storeCalls, limiters, quotas, slots } = limits.state();
  const others = { quotas: quotas.map((one) => ({ ...one })), concurrency: slots.map((one) => ({ ...one })) };
  return { kind, mode, gateways, vanished, share, storeCalls, ...others, limits: limiters.map(limitOf) };
}

function limitOf({
  name,
  algorithm,
  limit,
  perMs,
  burst,
  keys,
  leased,
  admitted,
  refused,
}: LimiterState): LimitsView["limits"][number] {
  return { name, algorithm, limit, perMs, burst, keys, leased, admitted, refused };
}
