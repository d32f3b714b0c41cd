import { LEASE_MS, VIEW_MS } from "./units.ts";

/** Longest that a lease lives, in microseconds. */
export const LEASE = LEASE_MS * 1000;

const VIEW = VIEW_MS * 1000;

/** What `LEASE_LUA` reads of the arguments, and the history of shares. */
export interface LeaseArgs {
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
  /** The history of shares: it begins with a time, and the fraction that there is from then on. */
  readonly base: number;
  readonly fraction: number;
  /** (time, part) for each change. */
  readonly changes: readonly number[];
}

/** `historyAt`: the place of the history of shares, which comes last. */
export function readLeaseArgs(args: readonly string[], historyAt: number): LeaseArgs {
  const at = (index: number): number => Number(args[index]);
  return {
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
    base: at(historyAt),
    fraction: at(historyAt + 1),
    changes: args.slice(historyAt + 2).map(Number),
  };
}

/** What the caller knows of the others is too old. */
export function isUnsure({ view }: LeaseArgs, now: number): boolean {
  return view >= 0 && (now > view + VIEW || view > now + VIEW);
}

/** A field of a key's hash. */
export interface Field {
  readonly field: string;
  readonly value: string;
}

export interface Lease {
  readonly granted: number;
  readonly outstanding: number;
  readonly end: number;
  readonly sequence: number;
  readonly wanted: number;
}

/** Reads a lease, which ends at `most` at the latest: what is written is mended. */
export function readLease(hash: Map<string, string>, { field, value }: Field, most: number): Lease {
  const [granted = 0, outstanding = 0, last = 0, sequence = 0, wanted = 0] = value.split(":").map(Number);
  const end = Math.min(last, most);
  if (end < last) hash.set(field, [granted, outstanding, end, sequence, wanted].join(":"));
  return { granted, outstanding, end, sequence, wanted };
}

/** What a lease comes to. */
export interface Settled {
  /** All that was granted, with what was spent beyond. */
  readonly granted: number;
  readonly debt: number;
  readonly held: number;
  /** What is given back of that. */
  readonly give: number;
}

/** The step of `SETTLE_LUA`. `granted` is null for a lease that is not known. */
export function settleLease(granted: number | null, { known, spent, give }: LeaseArgs): Settled {
  const before = granted ?? Math.min(known, spent);
  const all = Math.max(before, spent);
  const held = all - spent;
  return { granted: all, debt: Math.max(0, spent - before), held, give: Math.min(give, held) };
}
