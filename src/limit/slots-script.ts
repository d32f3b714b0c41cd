import type { StoreScript } from "../store/store.ts";
import { numbersOfReply } from "./bucket-script.ts";
import { SLOTS_LUA } from "./slots-lua.ts";
import { slotsInMemory } from "./slots-memory.ts";

/** What the store says of a key's slots. */
export interface SlotsLoan {
  /** `late`: a later call of the same lease was there first. `unsure`: so with a view too old; nothing was done. */
  readonly status: "late" | "done" | "unsure";
  /** What the caller holds now. */
  readonly held: number;
  /** What nobody holds. */
  readonly free: number;
  /** What the caller should hold at most, as others are in need; the limit where none is. */
  readonly fair: number;
}

const STATUSES = ["late", "done", "unsure"] as const;

/** Says what is in use, lends slots and takes others back: one step. */
export const SLOTS_SCRIPT: StoreScript<SlotsLoan> = {
  name: "limit-slots",
  lua: SLOTS_LUA,
  memory: slotsInMemory,
  result: (reply) => {
    const [code = 0, held = 0, free = 0, fair = 0] = numbersOfReply(reply);
    return { status: STATUSES[code] ?? "late", held, free, fair };
  },
};
