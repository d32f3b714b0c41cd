import type { ScriptCall, ScriptReply, ScriptState } from "../store/store.ts";
import { LEASE_MS, MICRO, VIEW_MS } from "./units.ts";
import { WINDOW_KEPT_MS, WINDOW_PARTS } from "./window-lua.ts";

const LEASE = LEASE_MS * 1000;
const VIEW = VIEW_MS * 1000;

interface Args {
  readonly limit: number;
  readonly length: number;
  readonly slides: boolean;
  readonly own: string;
  readonly sequence: number;
  readonly spent: number;
  readonly known: number;
  readonly want: number;
  readonly need: number;
  readonly unit: number;
  readonly give: number;
  readonly quiet: number;
  readonly view: number;
  readonly spends: string;
  readonly fraction: number;
  /** (time, part) for each change. */
  readonly changes: readonly number[];
}

function readArgs(args: readonly string[]): Args {
  const at = (index: number): number => Number(args[index]);
  return {
    limit: at(0),
    length: at(1),
    slides: args[2] === "1",
    own: args[3] ?? "",
    sequence: at(4),
    spent: at(5),
    known: at(6),
    want: at(7),
    need: at(8),
    unit: at(9),
    give: at(10),
    quiet: at(11),
    view: at(12),
    spends: args[13] ?? "",
    fraction: at(15),
    changes: args.slice(16).map(Number),
  };
}

/** When what is spent at an instant counts no more. */
function over({ length, slides }: Args, at: number): number {
  const width = slides ? Math.ceil(length / WINDOW_PARTS) : length;
  return (Math.floor(at / width) + 1) * width + (slides ? length : 0);
}

/** What is used, by when it counts no more. */
class Used {
  readonly entries: [until: number, amount: number][] = [];
  readonly #now: number;

  constructor(now: number) {
    this.#now = now;
  }

  add(until: number, amount: number): void {
    if (amount <= 0 || until <= this.#now) return;
    let i = this.entries.length;
    while (i > 0 && (this.entries[i - 1]?.[0] ?? 0) > until) i--;
    const known = this.entries[i - 1];
    if (known?.[0] === until) known[1] += amount;
    else this.entries.splice(i, 0, [until, amount]);
  }

  get sum(): number {
    return this.entries.reduce((sum, [, amount]) => sum + amount, 0);
  }

  /** When so much is counted no more; null: that is more than all. */
  goneAt(amount: number): number | null {
    let missing = amount;
    for (const [until, part] of this.entries) {
      missing -= part;
      if (missing <= 0) return until;
    }
    return null;
  }
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
    if (field === "u") readUsed(account.used, value, over(args, now));
    else readLease(account, { hash, field, value, args, now });
  }
  return account;
}

function readUsed(used: Used, text: string, farthest: number): void {
  for (const part of text.split(";").slice(0, -1)) {
    const [until = 0, amount = 0] = part.split(":").map(Number);
    used.add(Math.min(until, farthest), amount);
  }
}

interface Lease {
  readonly hash: Map<string, string>;
  readonly field: string;
  readonly value: string;
  readonly args: Args;
  readonly now: number;
}

function readLease(account: Account, { hash, field, value, args, now }: Lease): void {
  const [g = 0, o = 0, end = 0, q = 0, w = 0] = value.split(":").map(Number);
  const e = Math.min(end, account.finish);
  if (e < end) hash.set(field, [g, o, e, q, w].join(":"));
  if (e <= now) {
    account.gone.push(field);
    account.used.add(over(args, e - 1), o);
  } else if (field === args.own) {
    account.isLate = args.sequence <= q;
    account.granted = g;
    account.before = o;
    account.wanted = w;
  } else {
    account.others += o;
    account.latest = Math.max(account.latest, over(args, e - 1));
    if (w > now - MICRO) account.needy++;
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
    const goneAt = account.used.goneAt(need - sums.left);
    if (goneAt !== null) return goneAt - now;
    return slides ? length : over(args, now) - now;
  }
  const lent = Math.min(want, Math.max(need, Math.floor(sums.left / unit) * unit));
  sums.left -= lent;
  sums.granted += lent;
  sums.held += lent;
  return 0;
}

function settle(account: Account, args: Args, now: number): Sums {
  const { spent, slides, quiet, spends } = args;
  const known = account.granted ?? Math.min(args.known, spent);
  const all = Math.max(known, spent);
  const held = all - spent;
  let rest = account.before - Math.min(account.before, held);
  for (const spend of slides ? spends.split(";").slice(0, -1) : []) {
    const [age = 0, amount = 0] = spend.split(":").map(Number);
    const part = Math.min(rest, amount);
    account.used.add(over(args, now - age), part);
    rest -= part;
  }
  account.used.add(over(args, slides ? now - quiet : now), rest);
  account.used.add(over(args, now), Math.max(0, spent - known));
  const give = Math.min(args.give, held);
  return { granted: all - give, held: held - give, left: 0 };
}

function write(hash: Map<string, string>, { used, wanted, finish }: Account, { args, sums }: Written): void {
  const text = used.entries.map(([until, amount]) => `${until}:${amount};`).join("");
  if (text === "") hash.delete("u");
  else hash.set("u", text);
  hash.set(args.own, [sums.granted, sums.held, finish, args.sequence, wanted].join(":"));
}

interface Written {
  readonly args: Args;
  readonly sums: Sums;
}

/** The step of `WINDOW_LUA`, line for line, over a memory store. */
export function windowInMemory(state: ScriptState, call: ScriptCall): ScriptReply {
  const now = state.nowMicros;
  const args = readArgs(call.args);
  const { view, limit, slides } = args;
  if (view >= 0 && (now > view + VIEW || view > now + VIEW)) return [2, 0, 0, 0, 1, 0, 0, 0, 0];
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
  write(hash, account, { args, sums });
  const latest = Math.max(account.latest, ...used.entries.map(([until]) => until));
  state.expire(key, Math.ceil((latest - now) / 1000) + WINDOW_KEPT_MS);
  const isHopeful = others > 0 && (wait === 0 || sums.left + others >= args.need);
  const hope = away > 0 && slides ? 2 : Number(isHopeful);
  const edge = over(args, now);
  const [first, last] = slides ? [used.entries[0]?.[0] ?? now, used.entries.at(-1)?.[0] ?? now] : [edge, edge];
  return [1, sums.granted, sums.left, wait, account.needy, hope, finish - now, first - now, last - now];
}
