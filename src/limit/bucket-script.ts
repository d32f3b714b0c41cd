import type { ScriptReply, StoreScript } from "../store/store.ts";
import { BUCKET_LUA } from "./bucket-lua.ts";
import { bucketInMemory } from "./bucket-memory.ts";

/** `late`: a later call of the same lease was there first, nothing was done. `unsure`: so with a view too old. */
export type LendStatus = "late" | "done" | "unsure";

/** What the store lent for a key. */
export interface Loan {
  readonly status: LendStatus;
  /** All that this lease was ever granted, in millionths. */
  readonly granted: number;
  /** What the store can lend still; below zero: debts. */
  readonly tokens: number;
  /** Microseconds until what was needed can be there; 0 where it was granted. */
  readonly waitMicros: number;
  /** Gateways that want of this key, the caller included. */
  readonly needy: number;
}

const STATUSES: readonly LendStatus[] = ["late", "done", "unsure"];

/** The numbers of a script's flat reply. Throws a TypeError for anything else. */
export function numbersOfReply(reply: ScriptReply): readonly number[] {
  if (Array.isArray(reply) && reply.every((value) => typeof value === "number")) return reply;
  throw new TypeError("a script answered something other than numbers");
}

/** Settles what was spent of a key, takes back, and lends: one step, in which tokens and leases never exceed the burst. */
export const BUCKET_SCRIPT: StoreScript<Loan> = {
  name: "limit-bucket",
  lua: BUCKET_LUA,
  memory: bucketInMemory,
  result: (reply) => {
    const [code = 0, granted = 0, tokens = 0, waitMicros = 0, needy = 1] = numbersOfReply(reply);
    return { status: STATUSES[code] ?? "late", granted, tokens, waitMicros, needy };
  },
};
