import type { ScriptCall, ScriptReply, ScriptState } from "../store/store.ts";
import { isUnsure, LEASE, type LeaseArgs, readLease, readLeaseArgs, settleLease } from "./lease-memory.ts";
import { HALVED_FROM, LENT_POLL_MS, MICRO, SHARES_POLL_MS } from "./units.ts";

interface Args extends LeaseArgs {
  readonly limit: number;
  readonly per: number;
  readonly burst: number;
  readonly kept: number;
  readonly life: number;
}

function readArgs(args: readonly string[]): Args {
  const at = (index: number): number => Number(args[index]);
  return {
    ...readLeaseArgs(args, 15),
    limit: at(0),
    per: at(1),
    burst: at(2),
    kept: at(13),
    life: at(14),
  };
}

/** What stands in the fields of leases. */
interface Leases {
  /** All that the caller's own lease was granted; null: it has none. */
  granted: number | null;
  isLate: boolean;
  /** What was outstanding of the own lease when it was last reported, and of the others. */
  before: number;
  /** When the own lease ends. */
  ending: number;
  others: number;
  /** Gateways that wanted more within a second. */
  needy: number;
  /** When the caller last wanted more. */
  wanted: number;
  /** What leases held that have ended since, and when the last of them did. */
  lapsed: number;
  lapsedAt: number;
  readonly gone: string[];
}

function numbersOf(text: string): readonly number[] {
  return text.split(":").map(Number);
}

function readLeases(hash: Map<string, string>, { own, sequence }: Args, now: number): Leases {
  const leases: Leases = {
    granted: null,
    isLate: false,
    before: 0,
    ending: 0,
    others: 0,
    needy: 1,
    wanted: 0,
    lapsed: 0,
    lapsedAt: 0,
    gone: [],
  };
  for (const [field, value] of hash) {
    if (field === "m") continue;
    const { granted, outstanding, end, sequence: last, wanted } = readLease(hash, { field, value }, now + LEASE);
    if (end <= now) {
      leases.gone.push(field);
      leases.lapsed += outstanding;
      leases.lapsedAt = Math.max(leases.lapsedAt, end);
    } else if (field === own) {
      leases.granted = granted;
      leases.before = outstanding;
      leases.ending = end;
      leases.wanted = wanted;
      leases.isLate = sequence <= last;
    } else {
      leases.others += outstanding;
      if (wanted > now - MICRO) leases.needy++;
    }
  }
  return leases;
}

/** The numbers that hold now, and those that are to hold after. */
interface Numbers {
  readonly rate: number;
  readonly per: number;
  readonly cap: number;
  readonly next: readonly [limit: number, per: number, burst: number, until: number];
}

function numbersInForce({ limit, per, burst }: Args, stored: readonly number[] | null, now: number): Numbers {
  const [, , l = limit, p = per, b = burst, end = 0] = stored ?? [];
  const [rate, ratePer] = l * per < limit * p ? [l, p] : [limit, per];
  const cap = Math.min(burst, b);
  const until = Math.min(end, now + LEASE);
  const [nl, np, nb] = now < until ? [rate, ratePer, cap] : [limit, per, burst];
  const isOwn = nl === limit && np === per && nb === burst;
  return { rate, per: ratePer, cap, next: [nl, np, nb, isOwn ? now + LEASE : until] };
}

interface Advancing {
  readonly args: Args;
  readonly leases: Leases;
  readonly now: number;
}

/** When so much is no longer outstanding. */
type End = [at: number, amount: number];

/** Tokens at a time, beside what is outstanding, with the part of the limit that the store may lend. */
class Pool {
  tokens = 0;
  at = 0;
  fraction: number;
  leased: number;
  readonly #ends: readonly End[];
  readonly #numbers: Numbers;

  constructor(numbers: Numbers, fraction: number, { leased, ends }: { leased: number; ends: readonly End[] }) {
    this.#numbers = numbers;
    this.fraction = fraction;
    this.leased = leased;
    this.#ends = [...ends].sort(([a], [b]) => a - b);
  }

  get #part(): number {
    return Math.max(0, Math.min(MICRO, this.fraction));
  }

  get full(): number {
    return Math.floor((this.#numbers.cap * this.#part) / MICRO);
  }

  #step(to: number): void {
    const { rate, per } = this.#numbers;
    const elapsed = Math.max(0, to - this.at);
    const part = this.#part;
    const more = Math.floor((((elapsed * rate) / per) * part) / MICRO);
    const most = this.full - this.leased;
    if (this.tokens > most) {
      const away = Math.ceil((((elapsed * rate) / per) * (MICRO - part)) / MICRO);
      this.tokens = Math.max(most, Math.min(this.#numbers.cap - this.leased, this.tokens - away));
      this.at = Math.max(this.at, to);
      return;
    }
    if (this.tokens + more >= most) {
      this.tokens = most;
      this.at = Math.max(this.at, to);
      return;
    }
    this.tokens += more;
    const isWhole = part === MICRO;
    this.at = isWhole ? this.at + Math.min(elapsed, Math.ceil((more * per) / rate)) : Math.max(this.at, to);
  }

  refill(to: number): void {
    for (const end of this.#ends) {
      const [at, amount] = end;
      if (at > to || amount <= 0) continue;
      this.#step(at);
      this.leased -= amount;
      end[1] = 0;
    }
    this.#step(to);
  }

  /** Ends at `when`, where shares change. */
  change(when: number, part: number): void {
    this.refill(when);
    this.at = when;
    this.fraction += part;
  }
}

/** `stored` are tokens and their time; null: the store does not know the key, which was full before any change. */
function advance(pool: Pool, stored: readonly number[] | null, { args, leases, now }: Advancing): void {
  const { base, changes } = args;
  const [tokens = 0, at = 0] = stored ?? [pool.full - leases.others - leases.before, base];
  pool.tokens = tokens;
  pool.at = Math.min(at, now);
  if (stored === null) pool.at = base;
  if (pool.at < base) {
    pool.tokens = Math.min(pool.tokens, 0);
    pool.at = base;
  }
  for (let i = 0; i < changes.length; i += 2) {
    const [when = 0, part = 0] = changes.slice(i, i + 2);
    if (when > now) continue;
    if (when <= pool.at) pool.fraction += part;
    else pool.change(when, part);
  }
  pool.refill(now);
}

interface Lent {
  readonly grant: number;
  readonly wait: number;
}

interface Lending {
  readonly held: number;
  readonly leases: Leases;
  readonly numbers: Numbers;
}

function lend(pool: Pool, { want, need, unit }: Args, { held, leases, numbers }: Lending): Lent {
  if (want <= 0) return { grant: 0, wait: 0 };
  const { cap, next } = numbers;
  const lent = leases.others + held;
  const room = (cap >= HALVED_FROM ? cap / 2 : cap) - leases.others - held;
  if (pool.tokens >= need && (need <= room || lent === 0)) {
    const soft = (pool.full * 3) / 8;
    const parts = [(pool.tokens * 2) / (leases.needy + 1), soft - leases.others - held, soft / leases.needy - held];
    return { grant: Math.min(want, Math.max(need, Math.floor(Math.min(...parts) / unit) * unit)), wait: 0 };
  }
  const part = Math.max(1, Math.min(MICRO, pool.fraction));
  const refilled = Math.min(1e15, Math.ceil(((((need - pool.tokens) * next[1]) / next[0]) * MICRO) / part));
  const wait = pool.tokens >= need ? LENT_POLL_MS * 1000 : refilled;
  return { grant: 0, wait: part < MICRO ? Math.min(wait, SHARES_POLL_MS * 1000) : wait };
}

function poolOf(args: Args, leases: Leases, { numbers, held, now }: { numbers: Numbers; held: number; now: number }) {
  const { others, before, lapsed, lapsedAt } = leases;
  const leased = others + before + lapsed;
  const ends: End[] = [
    [lapsedAt, lapsed],
    [now - args.quiet, before - Math.min(before, held)],
  ];
  return new Pool(numbers, args.fraction, { leased, ends });
}

/** The step of `BUCKET_LUA`, line for line, over a memory store. */
export function bucketInMemory(state: ScriptState, call: ScriptCall): ScriptReply {
  const now = state.nowMicros;
  const args = readArgs(call.args);
  if (isUnsure(args, now)) return [2, 0, 0, 0, 1];
  const key = call.keys[0] ?? "";
  const hash = state.hash(key);
  const main = hash.get("m");
  const stored = main === undefined ? null : numbersOf(main);
  const leases = readLeases(hash, args, now);
  if (leases.isLate) return [0, leases.granted, 0, 0, 1];
  for (const field of leases.gone) hash.delete(field);
  const settled = settleLease(leases.granted, args);
  const numbers = numbersInForce(args, stored, now);
  const pool = poolOf(args, leases, { numbers, held: settled.held, now });
  advance(pool, stored, { args, leases, now });
  pool.tokens += settled.give - settled.debt;
  const held = settled.held - settled.give;
  const { grant, wait } = lend(pool, args, { held, leases, numbers });
  pool.tokens -= grant;
  const granted = settled.granted - settled.give + grant;
  const ending = Math.max(held === 0 ? 0 : leases.ending, now + args.life);
  const [limit, per, burst] = numbers.next;
  hash.set("m", [pool.tokens, pool.at, ...numbers.next].join(":"));
  const wanted = args.want > 0 ? now : leases.wanted;
  hash.set(args.own, [granted, held + grant, ending, args.sequence, wanted].join(":"));
  const fullMs = Math.min(1e12, Math.ceil(((burst - pool.tokens) * per) / limit / 1000));
  state.expire(key, fullMs + args.kept);
  return [1, granted, pool.tokens, wait, leases.needy];
}
