import type { StoreScript } from "../store/store.ts";
import { PRESENCE_LUA } from "./presence-lua.ts";
import { presenceInMemory } from "./presence-memory.ts";

/** How the store may lend: all of the limits, less the shares of gateways that vanished, from which time on. */
export interface View {
  /** The store's clock when it told so, in microseconds. */
  readonly at: number;
  /** Base time, fraction, and (time, part) for each change: as the bucket's script takes them. */
  readonly history: readonly string[];
}

export interface Roll {
  /** `late`: the call came after its latest time, and had no effect. `unknown`: the store does not know the caller. */
  readonly status: "done" | "unknown" | "late";
  readonly view: View;
  /** The caller's share of every limit, in millionths. */
  readonly share: number;
  readonly gateways: number;
  readonly vanished: number;
  /** Ids and shares, in turn. */
  readonly peers: readonly string[];
}

const STATUSES = ["unknown", "done", "late"] as const;

/** Tells who lives, notices who vanished, and says what each one's share is. */
export const PRESENCE_SCRIPT: StoreScript<Roll> = {
  name: "limit-presence",
  lua: PRESENCE_LUA,
  memory: presenceInMemory,
  result: (reply) => {
    const [peers, code, now, share, gateways, vanished, ...history] = Array.isArray(reply) ? reply : [];
    if (typeof peers !== "string" || typeof code !== "number") throw new TypeError("a script answered something else");
    return {
      status: STATUSES[code] ?? "unknown",
      view: { at: Number(now), history: history.map(String) },
      share: Number(share),
      gateways: Number(gateways),
      vanished: Number(vanished),
      peers: peers.split(/[=,]/).slice(0, -1),
    };
  },
};
