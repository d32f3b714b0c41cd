import type { ScriptCall, ScriptReply, ScriptState } from "../store/store.ts";
import { type Field, isUnsure, LEASE, type LeaseArgs, readLease, readLeaseArgs, settleLease } from "./lease-memory.ts";
import { MICRO } from "./units.ts";
import { Used } from "./used-memory.ts";
import { WINDOW_KEPT_MS, WINDOW_PARTS } from "./window-lua.ts";

interface Args extends LeaseArgs {
  readonly limit: number;
  readonly length: number;
  readonly slides: boolean;
  readonly spends: string;
}

function readArgs(args: readonly string[]): Args {
  const at = (index: number): number => Number(args[index]);
  return {
    ...readLeaseArgs(args, 14),
    limit: at(0),
    length: at(1),
    slides: args[2] === "1",
    spends: args[13] ?? "",
  };
}

/** When what is spent at an instant counts no more. */
function over({ length, slides }: Args, at: number): number {
  const width = slides ? Math.ceil(length / WINDOW_PARTS) : length;
  return (Math.floor(at / width) + 1) * width + (slides ? length : 0);
}

/** What stands in the hash of a key. */
interface Account {
  readonly used: Used;
  /** The end of a lease that is made now. */
  readonly finish: number;
  /** All that the caller's own lease was granted; null: it has none. */
  granted: number | null;
  isLate: boolean;
  before: number;
  wanted: number;
  others: number;
  needy: number;
  latest: number;
  readonly gone: string[];
}

function readAccount(hash: Map<string, string>, args: Args, now: number): Account {
  const finish = args.slides ? now + LEASE : Math.min(now + LEASE, over(args, now));
  const account: Account = {
    used: new Used(now),
    finish,
    granted: null,
    isLate: false,
    before: 0,
    wanted: 0,
    others: 0,
    needy: 1,
    latest: over(args, finish - 1),
    gone: [],
  };
  for (const [field, value] of hash) {
    if (field === "u") account.used.read(value, over(args, now));
    else addLease(account, { hash, field, value, args, now });
  }
  return account;
}

interface Adding extends Field {
  readonly hash: Map<string, string>;
  readonly args: Args;
  readonly now: number;
}

function addLease(account: Account, { hash, field, value, args, now }: Adding): void {
  const { granted, outstanding, end, sequence, wanted } = readLease(hash, { field, value }, account.finish);
  if (end <= now) {
    account.gone.push(field);
    account.used.add(over(args, end - 1), outstanding);
  } else if (field === args.own) {
    account.isLate = args.sequence <= sequence;
    account.granted = granted;
    account.before = outstanding;
    account.wanted = wanted;
  } else {
    account.others += outstanding;
    account.latest = Math.max(account.latest, over(args, end - 1));
    if (wanted > now - MICRO) account.needy++;
  }
}

/** Millionths of the limit that are not to be lent, as others may spend them, or have. */
function awayOf({ length, slides, fraction, changes }: Args, now: number): number {
  const from = slides ? now - length : Math.floor(now / length) * length;
  const parts = [fraction];
  for (let i = 0; i < changes.length; i += 2) {
    const [when = 0, change = 0] = changes.slice(i, i + 2);
    const last = parts.at(-1) ?? 0;
    if (when <= from) parts[0] = (parts[0] ?? 0) + change;
    else if (when <= now) parts.push(last + change);
  }
  const bounded = parts.map((part) => Math.max(0, Math.min(MICRO, part)));
  const withheld = bounded.map((part, i) => {
    const [earlier, later] = [Math.max(...bounded.slice(0, i + 1)), Math.max(...bounded.slice(i))];
    return slides ? Math.min(MICRO - part, 2 * MICRO - earlier - later) : MICRO - part;
  });
  return Math.max(0, ...withheld);
}

/** What the caller's lease comes to. */
interface Sums {
  granted: number;
  held: number;
  left: number;
}

/** Lends, and returns how long to wait where it cannot. */
function lend(sums: Sums, { args, account, now }: { args: Args; account: Account; now: number }): number {
  const { want, need, unit, length, slides } = args;
  if (want <= 0) return 0;
  account.wanted = now;
  if (sums.left < need) {
    return account.used.goneAt(need - sums.left, slides ? now + length : over(args, now)) - now;
  }
  const lent = Math.min(want, Math.max(need, Math.floor(sums.left / unit) * unit));
  sums.left -= lent;
  sums.granted += lent;
  sums.held += lent;
  return 0;
}

function settle(account: Account, args: Args, now: number): Sums {
  const { slides, quiet, spends } = args;
  const { granted, held, debt, give } = settleLease(account.granted, args);
  let rest = account.before - Math.min(account.before, held);
  for (const spend of slides ? spends.split(";").slice(0, -1) : []) {
    const [age = 0, amount = 0] = spend.split(":").map(Number);
    const part = Math.min(rest, amount);
    account.used.add(over(args, now - age), part);
    rest -= part;
  }
  account.used.add(over(args, slides ? now - quiet : now), rest);
  account.used.add(over(args, now), debt);
  return { granted: granted - give, held: held - give, left: 0 };
}

/** The step of `WINDOW_LUA`, line for line, over a memory store. */
export function windowInMemory(state: ScriptState, call: ScriptCall): ScriptReply {
  const now = state.nowMicros;
  const args = readArgs(call.args);
  const { limit, slides } = args;
  if (isUnsure(args, now)) return [2, 0, 0, 0, 1, 0, 0, 0, 0];
  const key = call.keys[0] ?? "";
  const hash = state.hash(key);
  const account = readAccount(hash, args, now);
  if (account.isLate) return [0, account.granted, 0, 0, 1, 0, 0, 0, 0];
  for (const field of account.gone) hash.delete(field);
  const { used, others, finish } = account;
  const sums = settle(account, args, now);
  const away = awayOf(args, now);
  sums.left = Math.floor((limit * (MICRO - away)) / MICRO) - others - sums.held - used.sum;
  const wait = lend(sums, { args, account, now });
  const latest = used.write(hash, account.latest);
  hash.set(args.own, [sums.granted, sums.held, finish, args.sequence, account.wanted].join(":"));
  state.expire(key, Math.ceil((latest - now) / 1000) + WINDOW_KEPT_MS);
  const isHopeful = others > 0 && (wait === 0 || sums.left + others >= args.need);
  const hope = away > 0 && slides ? 2 : Number(isHopeful);
  const edge = over(args, now);
  const [first, last] = slides ? [used.entries[0]?.[0] ?? now, used.entries.at(-1)?.[0] ?? now] : [edge, edge];
  return [1, sums.granted, sums.left, wait, account.needy, hope, finish - now, first - now, last - now];
}
