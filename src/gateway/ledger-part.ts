import type { LedgerAnswer, LedgerAsk, LedgerView } from "../admin/ledger-schema.ts";
import type { Limits } from "../limit/limit.ts";
import type { KnownQuota } from "../limit/plugin-limits.ts";
import type { QuotaCount } from "../limit/quota.ts";
import { StoreError } from "../store/store-error.ts";

/** A quota of a configuration, and the limits that keep it. */
export interface HeldQuota extends KnownQuota {
  readonly limits: Pick<Limits, "ledger" | "state">;
}

export interface LedgerPartDeps {
  /** The quota of that name; null: there is none. */
  readonly find: (name: string) => HeldQuota | null;
  /** Whether a limit of another kind has that name. */
  readonly isOther: (name: string) => boolean;
}

function viewOf({ spec }: KnownQuota, key: string, count: QuotaCount): LedgerView {
  const { limit, used, leased, remaining, resetsAt } = count;
  const window =
    "rollingMs" in spec.window ? `${spec.window.rollingMs} ms` : `${spec.window.per}, ${spec.window.timeZone}`;
  return { name: spec.name, key, window, limit, used, leased, remaining, resetsAt: new Date(resetsAt).toISOString() };
}

/** Reads or corrects what is counted of a key. Never rejects for a store that is away. */
export async function askLedger(ask: LedgerAsk, { find, isOther }: LedgerPartDeps): Promise<LedgerAnswer> {
  const quota = find(ask.name);
  if (quota === null) return { outcome: isOther(ask.name) ? "other_limit" : "no_quota" };
  const key = quota.keys.ofTexts(ask.texts);
  if (key === null) return { outcome: "no_key" };
  const ledger = quota.limits.ledger(quota.spec);
  const show = (count: QuotaCount): LedgerView => viewOf(quota, ask.key, count);
  try {
    if (ask.change === null) return { outcome: "found", found: show(await ledger.read(key)) };
    const { isDone, before, after } = await ledger.change(key, ask.change, ask.expected);
    return { outcome: isDone ? "changed" : "differs", before: show(before), after: show(after) };
  } catch (error) {
    if (error instanceof StoreError) return { outcome: "store_away" };
    throw error;
  }
}
