import type { ScriptCall, ScriptReply, ScriptState } from "../store/store.ts";
import { NEEDY_MS, SLOT_KEPT_MS, SLOT_LEASE_MS } from "./slots-lua.ts";
import { MICRO, VIEW_MS } from "./units.ts";

const LEASE = SLOT_LEASE_MS * 1000;
const VIEW = VIEW_MS * 1000;
const NEEDY = NEEDY_MS * 1000;

/** What others hold, and what stands of the caller. */
interface Standing {
  others: number;
  /** Gateways that were refused just now, the caller included. */
  needy: number;
  wanted: number;
  /** What the caller holds by a later call; null: this is the latest. */
  lateHeld: number | null;
}

function standing(hash: Map<string, string>, own: string, { now, sequence }: { now: number; sequence: number }) {
  const found: Standing = { others: 0, needy: 1, wanted: 0, lateHeld: null };
  for (const [field, value] of hash) {
    const [held = 0, end = 0, last = 0, wanted = 0] = value.split(":").map(Number);
    const e = Math.min(end, now + LEASE);
    if (e < end) hash.set(field, [held, e, last, wanted].join(":"));
    if (e <= now) hash.delete(field);
    else if (field === own) {
      found.wanted = wanted;
      if (sequence <= last) found.lateHeld = held;
    } else {
      found.others += held;
      if (wanted <= now && wanted > now - NEEDY) found.needy++;
    }
  }
  return found;
}

function fractionAt(now: number, history: readonly number[]): number {
  const [, base = MICRO, ...changes] = history;
  let fraction = base;
  for (let i = 0; i < changes.length; i += 2) if ((changes[i] ?? 0) <= now) fraction += changes[i + 1] ?? 0;
  return Math.max(0, Math.min(MICRO, fraction));
}

/** The step of `SLOTS_LUA`, line for line, over a memory store. */
export function slotsInMemory(state: ScriptState, { keys, args }: ScriptCall): ScriptReply {
  const now = state.nowMicros;
  const [limit = 0, , sequence = 0, keep = 0, least = 0, want = 0, view = 0, ...history] = args.map(Number);
  const need = Math.max(keep, least);
  const own = args[1] ?? "";
  if (view >= 0 && (now > view + VIEW || view > now + VIEW)) return [2, 0, 0, 0];
  const most = Math.floor((limit * fractionAt(now, history)) / MICRO);
  const key = keys[0] ?? "";
  const hash = state.hash(key);
  const found = standing(hash, own, { now, sequence });
  if (found.lateHeld !== null) return [0, found.lateHeld, 0, 0];
  const { others, needy } = found;
  const free = Math.max(0, most - others);
  const fair = needy > 1 ? Math.floor(most / needy) : limit;
  const isRefused = need > keep && need > free;
  const spare = Math.max(need, Math.min(want, need + Math.floor((free - need) / 2)));
  const held = isRefused ? keep : needy > 1 ? need : want > keep ? spare : keep;
  const wanted = isRefused ? now : found.wanted;
  hash.set(own, [held, now + LEASE, sequence, wanted].join(":"));
  state.expire(key, SLOT_KEPT_MS);
  return [1, held, Math.max(0, most - others - held), fair];
}
