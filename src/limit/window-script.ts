import type { StoreScript } from "../store/store.ts";
import { type Loan, numbersOfReply } from "./bucket-script.ts";
import { WINDOW_LUA } from "./window-lua.ts";
import { windowInMemory } from "./window-memory.ts";

/** What the store lent of a window: amounts in millionths, times in microseconds. */
export interface WindowLoan extends Loan {
  /** What may come back before it is due: what others hold (`leases`), or a share that is withheld (`shares`), of a sliding window. */
  readonly hope: "none" | "leases" | "shares";
  /** How long the lease lives. */
  readonly leaseMicros: number;
  /** Until something comes back, and until all has; 0 where nothing is counted. */
  readonly firstMicros: number;
  readonly resetMicros: number;
}

const STATUSES = ["late", "done", "unsure"] as const;
const HOPES = ["none", "leases", "shares"] as const;

/** Settles what was spent of a key, takes back, and lends: one step, in which no window ever counts over the limit. */
export const WINDOW_SCRIPT: StoreScript<WindowLoan> = {
  name: "limit-window",
  lua: WINDOW_LUA,
  memory: windowInMemory,
  result: (reply) => {
    const [code = 0, granted = 0, tokens = 0, waitMicros = 0, needy = 1, hope = 0, ...times] = numbersOfReply(reply);
    const [leaseMicros = 0, firstMicros = 0, resetMicros = 0] = times;
    const amounts = { granted, tokens, waitMicros, needy, leaseMicros, firstMicros, resetMicros };
    return { status: STATUSES[code] ?? "late", hope: HOPES[hope] ?? "none", ...amounts };
  },
};
