import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import type { QuotaChange, QuotaCount, QuotaLedger, QuotaSpec } from "./quota.ts";
import { quotaStoreKey } from "./quota-limiter.ts";
import { periodsOf } from "./quota-period.ts";
import { LEDGER_SCRIPT, type LedgerReply } from "./quota-script.ts";
import { MICRO, toMicro } from "./units.ts";

/** Longer than for requests: who corrects a count can wait. */
const TIMEOUT_MS = 2000;

export interface QuotaLedgerDeps {
  readonly store: Pick<Store, "script">;
  readonly spec: Pick<QuotaSpec, "name" | "window" | "limit">;
  /** Milliseconds since 1970, to begin with: the store's clock decides. */
  readonly wallMs: () => number;
}

/** Makes the ledger of a quota. Throws a RangeError for a window that is none. */
export function createQuotaLedger({ store, spec, wallMs }: QuotaLedgerDeps): QuotaLedger {
  const limit = toMicro(spec.limit);
  const periodAt = periodsOf(spec.window);
  const length = "rollingMs" in spec.window ? spec.window.rollingMs * 1000 : 0;

  function frame(atMs: number): readonly string[] {
    const period = periodAt?.(atMs) ?? null;
    const [start, end] = period === null ? [0, 0] : [period.startMs * 1000, period.endMs * 1000];
    return [limit, start, end, length].map(String);
  }

  async function ask(key: string, change: readonly string[]): Promise<LedgerReply> {
    let atMs = wallMs();
    for (let left = 3; left > 0; left--) {
      const call = { keys: [quotaStoreKey(spec, key)], args: [...frame(atMs), "", ...change] };
      const reply = await store.script(LEDGER_SCRIPT, call, { timeoutMs: TIMEOUT_MS });
      if (reply.status !== "elsewhere") return reply;
      atMs = reply.nowMicros / 1000;
    }
    throw new StoreError("refused", "the store's clock does not stand still");
  }

  function countOf({ leased, resetMicros, nowMicros }: LedgerReply, used: number): QuotaCount {
    return {
      limit: spec.limit,
      used: used / MICRO,
      leased: leased / MICRO,
      remaining: Math.max(0, limit - used - leased) / MICRO,
      resetsAt: Math.ceil((nowMicros + resetMicros) / 1000),
    };
  }

  return {
    read: async (key) => {
      const reply = await ask(key, ["-1", "", ""]);
      return countOf(reply, reply.used);
    },
    change: async (key, change, expected) => {
      const reply = await ask(key, [expected === null ? "-1" : String(toMicro(expected)), ...changeArgs(change)]);
      const { status, before, used } = reply;
      return { isDone: status === "done", before: countOf(reply, before), after: countOf(reply, used) };
    },
  };
}

function changeArgs(change: QuotaChange): readonly [string, string] {
  return "used" in change ? ["", String(toMicro(change.used))] : [String(toMicro(change.add)), ""];
}
