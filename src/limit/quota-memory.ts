import type { ScriptCall, ScriptReply, ScriptState } from "../store/store.ts";
import { PARTS, QUOTA_KEPT_MS, QUOTA_LEASE_MS, QUOTA_NEEDY_MS, SETTLED_MS } from "./quota-lua.ts";
import { Used } from "./used-memory.ts";

const LEASE = QUOTA_LEASE_MS * 1000;
const SETTLED = SETTLED_MS * 1000;
const NEEDY = QUOTA_NEEDY_MS * 1000;

interface Frame {
  readonly now: number;
  readonly start: number;
  readonly finish: number;
  readonly length: number;
}

/** When what is spent at an instant counts no more. */
function over({ finish, length }: Frame, at: number): number {
  if (length === 0) return finish;
  const width = Math.ceil(length / PARTS);
  return (Math.floor(at / width) + 1) * width + length;
}

interface Mine {
  readonly granted: number;
  readonly spent: number;
  readonly end: number;
  readonly sequence: number;
  readonly until: number;
  readonly wanted: number;
}

/** What stands in the hash of a key, and is written back. */
class Account {
  readonly #hash: Map<string, string>;
  readonly #frame: Frame;
  readonly #used: Used;
  /** Leases that are over: what they held is counted as used by whoever writes next. */
  readonly #gone: string[] = [];
  others = 0;
  needy = 1;
  latest = 0;
  mine: Mine | null = null;

  constructor(hash: Map<string, string>, frame: Frame, own: string) {
    this.#hash = hash;
    this.#frame = frame;
    const { now, start, finish, length } = frame;
    this.#used = new Used(now);
    const farthest = length === 0 ? finish + 2 * (finish - start) : over(frame, now);
    for (const [field, value] of hash) {
      if (field === "u") this.#used.read(value, farthest);
      else this.#readLease(field, value, { own, farthest });
    }
  }

  #readLease(field: string, value: string, { own, farthest }: { own: string; farthest: number }): void {
    const { now } = this.#frame;
    const [granted = 0, spent = 0, end = 0, sequence = 0, last = 0, wanted = 0] = value.split(":").map(Number);
    const e = Math.min(end, now + LEASE);
    const until = Math.min(last, Math.max(farthest, over(this.#frame, e)));
    if (field === own) this.mine = { granted, spent, end: e, sequence, until, wanted };
    else if (until <= now || e + SETTLED <= now) {
      this.#gone.push(field);
      this.add(until, granted - spent);
    } else {
      this.others += granted - spent;
      this.latest = Math.max(this.latest, until);
      if (wanted <= now && wanted > now - NEEDY) this.needy++;
    }
  }

  add(until: number, amount: number): void {
    this.#used.add(until, amount);
  }

  /** First of what is over first: what is left counts longer. */
  take(amount: number): void {
    let left = amount;
    for (const entry of this.#used.entries) {
      const part = Math.min(left, entry[1]);
      entry[1] -= part;
      left -= part;
    }
  }

  change(before: number, after: number): void {
    if (after > before) this.add(over(this.#frame, this.#frame.now), after - before);
    else this.take(before - after);
  }

  get used(): number {
    return this.#used.sum;
  }

  /** Microseconds until so much is no longer counted. */
  waitFor(amount: number): number {
    const { now, finish, length } = this.#frame;
    if (length === 0) return finish - now;
    return this.#used.goneAt(amount, now + length) - now;
  }

  get reset(): number {
    const { now, finish, length } = this.#frame;
    if (length === 0) return finish - now;
    return (this.#used.entries.findLast(([, amount]) => amount > 0)?.[0] ?? now) - now;
  }

  write(state: ScriptState, key: string): void {
    for (const field of this.#gone) this.#hash.delete(field);
    this.latest = this.#used.write(this.#hash, this.latest);
    const { now } = this.#frame;
    if (this.latest > now) state.expire(key, Math.ceil((this.latest - now) / 1000) + QUOTA_KEPT_MS);
  }
}

function frameOf(state: ScriptState, args: readonly string[]): Frame {
  const [, start = 0, finish = 0, length = 0] = args.map(Number);
  return { now: state.nowMicros, start, finish, length };
}

function isElsewhere({ now, start, finish, length }: Frame): boolean {
  return length === 0 && (now < start || now >= finish);
}

function lend(account: Account, { frame, args, sums }: Lending): { wait: number; wanted: number | null } {
  const [limit = 0, , , , , , , , need = 0, want = 0, unit = 1] = args.map(Number);
  const left = limit - account.used - account.others - (sums.granted - sums.spent);
  if (want <= 0) return { wait: 0, wanted: null };
  if (left < need) return { wait: account.waitFor(need - left), wanted: frame.now };
  const extra = Math.min(want - need, Math.floor((left - need) / 2 / account.needy / unit) * unit);
  if (frame.length === 0) {
    account.add(frame.finish, need);
    sums.spent += need;
  }
  sums.granted += need + Math.max(0, extra);
  return { wait: 0, wanted: frame.now };
}

interface Lending {
  readonly frame: Frame;
  readonly args: readonly string[];
  readonly sums: { granted: number; spent: number };
}

/** The step of `QUOTA_LUA`, line for line, over a memory store. */
export function quotaInMemory(state: ScriptState, { keys, args }: ScriptCall): ScriptReply {
  const frame = frameOf(state, args);
  const { now } = frame;
  if (isElsewhere(frame)) return [3, 0, 0, 0, 0, 0, 0, 0, now];
  const [, , , , , sequence = 0, spent = 0, known = 0, , , , give = 0] = args.map(Number);
  const [key = "", own = ""] = [keys[0], args[4]];
  const hash = state.hash(key);
  const account = new Account(hash, frame, own);
  const { mine, others, needy } = account;
  if (mine !== null && sequence <= mine.sequence) return [0, mine.granted, mine.spent, 0, 0, 0, needy, 0, now];
  const isKnown = mine !== null && mine.until > now;
  const sums = { granted: isKnown ? Math.max(mine.granted, spent) : spent, spent };
  const before = isKnown ? mine.spent : known;
  if (spent > before || over(frame, mine === null ? now : mine.end - LEASE) > now) account.change(before, spent);
  sums.granted -= Math.min(give, sums.granted - spent);
  const { wait, wanted } = lend(account, { frame, args, sums });
  const until = over(frame, now + LEASE);
  account.latest = Math.max(account.latest, until);
  const lease = [sums.granted, sums.spent, now + LEASE, sequence, until, wanted ?? mine?.wanted ?? 0];
  hash.set(own, lease.join(":"));
  account.write(state, key);
  return [1, sums.granted, sums.spent, account.used, others, wait, needy, account.reset, now];
}

/** The step of `LEDGER_LUA`, line for line, over a memory store. */
export function ledgerInMemory(state: ScriptState, { keys, args }: ScriptCall): ScriptReply {
  const frame = frameOf(state, args);
  const { now } = frame;
  if (isElsewhere(frame)) return [3, 0, 0, 0, 0, 0, 0, 0, now];
  const [key = "", expected, add = "", set = ""] = [keys[0], Number(args[5]), args[6], args[7]];
  const account = new Account(state.hash(key), frame, "");
  const before = account.used;
  const { others } = account;
  if (expected >= 0 && expected !== before) return [2, before, before, others, account.reset, now];
  if (add !== "" || set !== "") {
    account.change(before, Math.max(0, set === "" ? before + Number(add) : Number(set)));
    account.write(state, key);
  }
  return [1, before, account.used, others, account.reset, now];
}
