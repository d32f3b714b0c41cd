import type { StoreScript } from "../store/store.ts";
import { numbersOfReply } from "./bucket-script.ts";
import { LEDGER_LUA, QUOTA_LUA } from "./quota-lua.ts";
import { ledgerInMemory, quotaInMemory } from "./quota-memory.ts";

/** What the store lent of a quota's key: amounts in millionths, times in microseconds. */
export interface QuotaLoan {
  /** `late`: a later call of the same lease was there first. `elsewhere`: the period is another by the store's clock. */
  readonly status: "late" | "done" | "elsewhere";
  /** All that this lease was granted, and what the store takes for spent of it. */
  readonly granted: number;
  readonly spent: number;
  readonly used: number;
  /** What other gateways hold. */
  readonly others: number;
  /** Until what was needed can be there; 0 where it was granted. */
  readonly waitMicros: number;
  readonly needy: number;
  readonly resetMicros: number;
  /** The store's clock. */
  readonly nowMicros: number;
}

/** Settles what was spent, takes back, and lends: one step, in which no more is used and lent than the quota. */
export const QUOTA_SCRIPT: StoreScript<QuotaLoan> = {
  name: "limit-quota",
  lua: QUOTA_LUA,
  memory: quotaInMemory,
  result: (reply) => {
    const [code = 0, granted = 0, spent = 0, used = 0, others = 0, wait = 0, needy = 1, reset = 0, now = 0] =
      numbersOfReply(reply);
    const status = code === 1 ? "done" : code === 3 ? "elsewhere" : "late";
    const amounts = { granted, spent, used, others, needy };
    return { status, ...amounts, waitMicros: wait, resetMicros: reset, nowMicros: now };
  },
};

/** What is counted of a key, before and after a change. */
export interface LedgerReply {
  readonly status: "done" | "differs" | "elsewhere";
  readonly before: number;
  readonly used: number;
  readonly leased: number;
  readonly resetMicros: number;
  readonly nowMicros: number;
}

/** Reads what is counted, and changes it. */
export const LEDGER_SCRIPT: StoreScript<LedgerReply> = {
  name: "limit-ledger",
  lua: LEDGER_LUA,
  memory: ledgerInMemory,
  result: (reply) => {
    const numbers = numbersOfReply(reply);
    const [code = 0, before = 0, used = 0, leased = 0, reset = 0] = numbers;
    const status = code === 1 ? "done" : code === 2 ? "differs" : "elsewhere";
    return { status, before, used, leased, resetMicros: reset, nowMicros: numbers.at(-1) ?? 0 };
  },
};
