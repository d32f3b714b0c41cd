import { StoreError } from "../store/store-error.ts";
import { callAlone, decideAfterCalls } from "./calling.ts";
import { limitKey } from "./key.ts";
import type { LimiterDeps } from "./limiter.ts";
import { takeOldest } from "./oldest.ts";
import { SlotKey } from "./slot-key.ts";
import type { Slots, SlotsMode, SlotsSpec, SlotsState, SlotsVerdict } from "./slots.ts";
import { SLOT_LEASE_MS } from "./slots-lua.ts";
import { SLOTS_SCRIPT, type SlotsLoan } from "./slots-script.ts";
import { GUARD_MS, MICRO } from "./units.ts";

/** A lease is renewed so long before its end. */
const RENEW_MS = 5000;
/** Time between two questions for a key that has no slot free. */
const POLL_MS = 10;
const FEW_POLL_MS = 5;
/** Time between two slots of more than a fair part of a hundred that are given back, and left to others for a fifth of it. */
const SHED_MS = 50;
/** Of fewer slots for each in need, none is kept that is not in use. */
const FEW = 12;
/** So many parts of a limit that is full are given back when one of them is free. */
const MUCH_FREE = 32;
/** A gateway that holds slots of a key that is full asks whether others are in need. */
const LOOK_MS = 250;
const FAILED_MS = 50;
const MOST_SLOTS = 1_000_000;
const MOST_SPARE = 64;
/** Nobody else is in need. */
const NOBODY = Number.POSITIVE_INFINITY;

export type SlotsDeps = Omit<LimiterDeps, "watch"> & {
  /** Has the sweep look at a key after so many of its ticks. */
  watch(key: SlotKey, limiter: SlotsLimiter, ticks: number): void;
};

/** What the limits of a gateway need of one. */
export interface SlotsLimiter extends Slots {
  visit(slot: SlotKey, nowMs: number): void;
  /** Tells the store of all that is in flight: false where it was not told of some. */
  settleShare(): Promise<boolean>;
  /** Hands back what is free. */
  release(): Promise<void>;
  readonly size: number;
  state(): SlotsState;
}

interface Ask {
  readonly keep: number;
  readonly need: number;
  readonly want: number;
}

const NO_VIEW: readonly string[] = ["0", String(MICRO)];

class SlotKeys implements SlotsLimiter {
  readonly #spec: SlotsSpec;
  readonly #deps: SlotsDeps;
  readonly #keys = new Map<string, SlotKey>();
  /** The lease's field in each key, and the last sequence: a key that comes again has the same lease. */
  readonly #field: string;
  #sequence = 0;
  #admitted = 0;
  #refused = 0;

  constructor(spec: SlotsSpec, deps: SlotsDeps) {
    this.#spec = spec;
    this.#deps = deps;
    this.#field = deps.nextField();
  }

  get size(): number {
    return this.#keys.size;
  }

  get #shedMs(): number {
    return Math.max(2, SHED_MS / Math.max(1, this.#spec.limit / 100));
  }

  /** Null where nobody ever enforces a share, so that none is withheld for who is gone. */
  get #presence(): SlotsDeps["presence"] {
    return this.#spec.onStoreError === "local" ? this.#deps.presence : null;
  }

  enter(key: string): SlotsVerdict | Promise<SlotsVerdict> {
    const nowMs = this.#deps.clock.nowMs();
    const slot = this.#keys.get(key) ?? this.#add(key, nowMs);
    return this.#decideNow(slot, nowMs) ?? this.#wait(slot, nowMs);
  }

  leave(key: string): void {
    const slot = this.#keys.get(key);
    if (slot === undefined || slot.used === 0) return;
    slot.used--;
    if (slot.fair !== NOBODY) this.#handBack(slot, this.#deps.clock.nowMs());
  }

  /**
   * Others are in need: where slots are few, all that are free are given back; else when some are, or now and then one
   * of what is more than fair, which is then left to others for a while.
   */
  #handBack(slot: SlotKey, nowMs: number): void {
    const free = slot.held - slot.used;
    if (free <= 0 || slot.call !== null || !this.#canCall(slot, nowMs)) return;
    const isFew = slot.fair < FEW;
    const isMuch = slot.held > slot.fair && nowMs - slot.shedAt >= this.#shedMs;
    if (!isFew && !isMuch && free * MUCH_FREE < this.#spec.limit) return;
    if (!isFew && isMuch) {
      slot.shedAt = nowMs;
      slot.deniedUntil = nowMs + this.#shedMs / 5;
    }
    void this.#settle(slot, slot.used, nowMs);
  }

  /** Where there is no room it is added all the same: who is in flight is bounded, and others are dropped soon. */
  #add(key: string, nowMs: number): SlotKey {
    if (!this.#deps.hasRoom()) this.#makeRoom(nowMs);
    const { name, limit } = this.#spec;
    const slot = new SlotKey(key, limitKey("c", name, key), { limit, nowMs });
    this.#keys.set(key, slot);
    return slot;
  }

  /** What is in flight stays. */
  #makeRoom(nowMs: number): void {
    const slot = takeOldest(this.#keys, ({ used, waiting, call }) => used === 0 && waiting === 0 && call === null);
    if (slot === null) return;
    slot.isDropped = true;
    if (slot.valid(nowMs) > 0 && this.#canCall(slot, nowMs)) void this.#settle(slot, 0, nowMs);
  }

  #drop(slot: SlotKey): void {
    slot.isDropped = true;
    this.#keys.delete(slot.key);
  }

  #verdict(isAdmitted: boolean, remaining: number, mode: SlotsMode): SlotsVerdict {
    return { isAdmitted, limit: this.#spec.limit, remaining: Math.max(0, remaining), mode };
  }

  #admit(slot: SlotKey, left: number, mode: SlotsMode): SlotsVerdict {
    slot.enter();
    this.#admitted++;
    this.#watch(slot);
    return this.#verdict(true, left, mode);
  }

  #refuse(mode: SlotsMode): SlotsVerdict {
    this.#refused++;
    return this.#verdict(false, 0, mode);
  }

  #watch(slot: SlotKey): void {
    if (!slot.isWatched) this.#deps.watch(slot, this, 2);
  }

  #decideNow(slot: SlotKey, nowMs: number): SlotsVerdict | null {
    const held = slot.valid(nowMs);
    if (slot.used < held) return this.#admit(slot, slot.held - slot.used - 1 + slot.free, "leased");
    slot.wantedAt = nowMs;
    const share = this.#share(nowMs);
    if (share !== null) {
      const most = Math.max(share, held);
      return slot.used < most ? this.#admit(slot, most - slot.used - 1, "local") : this.#refuse("local");
    }
    if (nowMs < slot.deniedUntil) return this.#refuse("leased");
    if (slot.call === null) {
      if (this.#deps.presence?.isOpening === true) return null;
      if (!this.#canCall(slot, nowMs)) return this.#away(slot, nowMs);
      void this.#borrow(slot, nowMs);
    }
    return this.#deps.health.isSilent ? this.#away(slot, nowMs) : null;
  }

  #share(nowMs: number): number | null {
    const { presence } = this.#deps;
    if (presence === null || this.#spec.onStoreError !== "local" || presence.localSince(nowMs) === null) return null;
    return Math.floor((this.#spec.limit * presence.share) / MICRO);
  }

  #away(slot: SlotKey, nowMs: number): SlotsVerdict {
    const { onStoreError } = this.#spec;
    if (onStoreError !== "allow") return this.#refuse(onStoreError === "deny" ? "denied" : "local");
    return this.#admit(slot, slot.valid(nowMs) - slot.used - 1, "allowed");
  }

  async #wait(slot: SlotKey, startedMs: number): Promise<SlotsVerdict> {
    const { clock, deadlineMs, presence, health } = this.#deps;
    slot.waiting++;
    const verdict = await decideAfterCalls({
      clock,
      deadlineMs,
      call: () => slot.call ?? presence?.first ?? null,
      decide: () => this.#decideNow(slot, clock.nowMs()),
      onLate: () => {
        health.isSilent = true;
      },
    }).finally(() => void slot.waiting--);
    if (verdict !== null) return verdict;
    const nowMs = clock.nowMs();
    return nowMs - startedMs >= deadlineMs ? this.#away(slot, nowMs) : this.#refuse("leased");
  }

  #canCall(slot: SlotKey, nowMs: number): boolean {
    const hasView = this.#presence === null || this.#presence.view(nowMs) !== null;
    return nowMs >= slot.failedUntil && hasView && this.#deps.store.state !== "away";
  }

  /** Asks for one more than is in use, and for some to spare. */
  #borrow(slot: SlotKey, nowMs: number): Promise<boolean> {
    const need = slot.used + 1;
    const { limit } = this.#spec;
    const isRich = slot.free * 4 > limit;
    const spare = Math.min(MOST_SPARE, Math.max(Math.ceil(need / 4), isRich ? Math.floor(limit / 50) : 0));
    const want = Math.max(need, slot.peak(nowMs)) + spare;
    return this.#call(slot, { keep: Math.max(slot.used, slot.valid(nowMs)), need, want }, nowMs);
  }

  /** Says what is kept, with what is in use and should not be, and gives back the rest. Resolves with whether the store knows. */
  #settle(slot: SlotKey, keep: number, nowMs: number): Promise<boolean> {
    const kept = Math.max(slot.used, Math.min(keep, slot.valid(nowMs)));
    return this.#call(slot, { keep: kept, need: kept, want: kept }, nowMs);
  }

  #call(slot: SlotKey, ask: Ask, nowMs: number): Promise<boolean> {
    return callAlone(
      slot,
      () => this.#exchange(slot, ask, nowMs),
      () => this.#afterCall(slot),
    );
  }

  /** What was freed while the call was under way. Those who waited for it come first. */
  #afterCall(slot: SlotKey): void {
    if (slot.fair === NOBODY || slot.held <= slot.used) return;
    this.#deps.clock.after(1, () => this.#handBack(slot, this.#deps.clock.nowMs()));
  }

  async #exchange(slot: SlotKey, { keep, need, want }: Ask, nowMs: number): Promise<boolean> {
    const { store, clock, health } = this.#deps;
    const presence = this.#presence;
    const before = slot.valid(nowMs);
    // What is given back is not used again, whether or not the store hears of it in time.
    slot.held = Math.min(before, keep);
    const view = presence?.view(nowMs) ?? null;
    const known = presence === null ? "-1" : String(view?.at ?? 0);
    const numbers = [this.#spec.limit, this.#field, ++this.#sequence, keep, need, want].map(String);
    health.calls++;
    try {
      const args = [...numbers, known, ...(view?.history ?? NO_VIEW)];
      const loan = await store.script(SLOTS_SCRIPT, { keys: [slot.storeKey], args });
      health.isSilent = false;
      if (loan.status === "done") {
        this.#taken(slot, loan, { need, sentMs: nowMs });
        return true;
      }
      if (loan.status === "unsure") presence?.renew();
    } catch (error) {
      if (error instanceof StoreError && !error.mayHaveRun) slot.held = before;
    }
    slot.failedUntil = clock.nowMs() + FAILED_MS;
    return false;
  }

  #taken(slot: SlotKey, loan: SlotsLoan, { need, sentMs }: { need: number; sentMs: number }): void {
    const nowMs = this.#deps.clock.nowMs();
    slot.held = loan.held;
    slot.endsAt = sentMs + SLOT_LEASE_MS - GUARD_MS;
    slot.free = loan.free;
    slot.fair = loan.fair < this.#spec.limit ? loan.fair : NOBODY;
    if (loan.held < need) slot.deniedUntil = nowMs + (slot.fair < FEW ? FEW_POLL_MS : POLL_MS);
    this.#watch(slot);
  }

  visit(slot: SlotKey, nowMs: number): void {
    if (slot.isDropped) return;
    const peak = slot.peak(nowMs);
    const held = slot.valid(nowMs);
    const isIdle = slot.used === 0 && slot.waiting === 0 && held === 0 && slot.call === null;
    if (isIdle && nowMs >= slot.deniedUntil) {
      this.#drop(slot);
      return;
    }
    if (slot.call === null && this.#canCall(slot, nowMs)) {
      const keep = this.#keep(slot, peak);
      if (this.#isDue(slot, { keep, held, nowMs })) void this.#settle(slot, keep, nowMs);
    }
    this.#watch(slot);
  }

  /** While a key is full, nothing is kept that was not in use just now. */
  #keep(slot: SlotKey, peak: number): number {
    const recent = slot.recent();
    if (slot.fair < FEW) return slot.used;
    if (slot.free === 0 || slot.fair !== NOBODY) return recent;
    if (peak === 0) return 0;
    return peak + Math.min(MOST_SPARE, Math.ceil(peak / 4));
  }

  #isDue(slot: SlotKey, { keep, held, nowMs }: { keep: number; held: number; nowMs: number }): boolean {
    if (Math.max(keep, slot.used) < held || slot.used > held) return true;
    const isFull = slot.free === 0 && (this.#deps.presence?.gateways ?? 1) > 1;
    const sinceMs = nowMs - (slot.endsAt - (SLOT_LEASE_MS - GUARD_MS));
    return slot.endsAt - nowMs < RENEW_MS || (isFull && sinceMs >= LOOK_MS);
  }

  async settleShare(): Promise<boolean> {
    const all = [...this.#keys.values()].filter(({ used }) => used > 0).map((slot) => this.#tell(slot));
    return (await Promise.all(all)).every(Boolean);
  }

  async #tell(slot: SlotKey): Promise<boolean> {
    while (slot.call !== null) await slot.call;
    const nowMs = this.#deps.clock.nowMs();
    return this.#settle(slot, slot.held, nowMs);
  }

  async release(): Promise<void> {
    const all = [...this.#keys.values()].map(async (slot) => {
      while (slot.call !== null) await slot.call;
      const nowMs = this.#deps.clock.nowMs();
      if (slot.held > slot.used && this.#canCall(slot, nowMs)) await this.#settle(slot, slot.used, nowMs);
    });
    await Promise.all(all);
  }

  state(): SlotsState {
    const nowMs = this.#deps.clock.nowMs();
    let inFlight = 0;
    let held = 0;
    for (const slot of this.#keys.values()) {
      inFlight += slot.used;
      held += slot.valid(nowMs);
    }
    const { name, limit } = this.#spec;
    return { name, limit, keys: this.size, inFlight, held, admitted: this.#admitted, refused: this.#refused };
  }
}

/** Makes a limit of what is in flight. Throws a RangeError for numbers that are none of a spec. */
export function createSlotsLimiter(spec: SlotsSpec, deps: SlotsDeps): SlotsLimiter {
  const { limit } = spec;
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_SLOTS) {
    throw new RangeError(`limit must be a whole number from 1 to ${MOST_SLOTS}, not ${limit}`);
  }
  return new SlotKeys(spec, deps);
}
