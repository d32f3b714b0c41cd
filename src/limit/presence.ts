import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import type { Clock } from "./clock.ts";
import { PRESENCE_SCRIPT, type Roll, type View } from "./presence-script.ts";
import { BEAT_LATE_MS, GUARD_MS, LIFE_MS, MICRO, VIEW_MS } from "./units.ts";

const KEY = "limit:{gateways}";
const BEAT_MS = 600;
/** Between looks for a store that does not answer. */
const LOOK_MS = 200;
/** What clocks differ by in speed. */
const DRIFT = 0.001;
/** From the last heartbeat that may have counted until every gateway leaves this one's share alone. */
const SILENT_MS = BEAT_LATE_MS + LIFE_MS + VIEW_MS + GUARD_MS;

export interface PresenceOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** The gateway's id, the same after a restart, of no other gateway. */
  readonly id: string;
  /** Of this run of it: never the same twice. */
  readonly run: string;
  /** The share to enforce, 0 to 1, while the store was never reached. */
  readonly assumedShare: number;
  /**
   * Tells the store of what the own share was used for and still is, before that share goes back: true when it knows all
   * of it. Called with a view that is fresh; nothing is spent of the share until this gateway is away again.
   */
  settle(): Promise<boolean>;
  /** The store has answered. */
  onAnswer(): void;
}

/** This gateway among the others, as the store knows it. */
export interface Presence {
  /** Resolves when the first attempt to reach the store has ended, whichever way. */
  readonly first: Promise<void>;
  /** Until then. */
  readonly isOpening: boolean;
  /** What the store lends by; null: it would lend nothing. */
  view(nowMs: number): View | null;
  /** Since when the own share may be spent; null: it may not. */
  localSince(nowMs: number): number | null;
  /** What the store's clock shows then, at the earliest and at the latest; null: the store never lent anything. */
  storeTime(atMs: number): { readonly earlyMs: number; readonly lateMs: number } | null;
  /** When the own share may be spent at the earliest, if the store stays away. */
  readonly localFromMs: number;
  /** The own part of each limit while the store is away, in millionths. */
  readonly share: number;
  readonly gateways: number;
  readonly vanished: number;
  /** The view proved too old: asks for another at once. */
  renew(): void;
  /** Leaves with a goodbye. */
  close(): Promise<void>;
}

type Action = "look" | "join" | "beat" | "bye";

class Member implements Presence {
  readonly #options: PresenceOptions;
  readonly #startedMs: number;
  readonly #first = Promise.withResolvers<void>();
  #roll: Roll | null = null;
  #rollSentMs = 0;
  #rollTakenMs = 0;
  #isJoined = false;
  #wasJoined = false;
  #isReturning = false;
  #isClosed = false;
  #isBusy = false;
  /** When the last word was sent that may have counted. */
  #lastMaybeMs: number;
  #callOff = (): void => {};
  isOpening = true;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    this.#lastMaybeMs = this.#startedMs;
    void this.#turn();
  }

  get first(): Promise<void> {
    return this.#first.promise;
  }

  get localFromMs(): number {
    return this.#lastMaybeMs + SILENT_MS;
  }

  get share(): number {
    return this.#wasJoined ? (this.#roll?.share ?? 0) : Math.floor(this.#options.assumedShare * MICRO);
  }

  get gateways(): number {
    return this.#roll?.gateways ?? 0;
  }

  get vanished(): number {
    return this.#roll?.vanished ?? 0;
  }

  #isFresh(nowMs: number): boolean {
    return this.#roll !== null && nowMs < this.#rollSentMs + VIEW_MS;
  }

  view(nowMs: number): View | null {
    return this.#roll !== null && this.#wasJoined && this.#isFresh(nowMs) ? this.#roll.view : null;
  }

  localSince(nowMs: number): number | null {
    // After a goodbye the share is the others'.
    if (this.#isClosed || this.#isReturning || (this.#isJoined && this.#isFresh(nowMs))) return null;
    if (!this.#wasJoined) return this.isOpening ? null : this.#startedMs;
    return nowMs < this.localFromMs ? null : this.localFromMs;
  }

  storeTime(atMs: number): { readonly earlyMs: number; readonly lateMs: number } | null {
    if (this.#roll === null || !this.#wasJoined) return null;
    const toldMs = this.#roll.view.at / 1000;
    const [sinceTaken, sinceSent] = [atMs - this.#rollTakenMs, atMs - this.#rollSentMs];
    const slack = Math.abs(sinceSent) * DRIFT;
    return { earlyMs: toldMs + sinceTaken - slack, lateMs: toldMs + sinceSent + slack };
  }

  /** The store's clock, not later than it is. */
  #storeMicros(nowMs: number): number {
    return this.#roll === null ? 0 : Math.floor(this.#roll.view.at + (nowMs - this.#rollTakenMs) * 1000);
  }

  #args(action: Action, sentMs: number): string[] {
    const { id, run } = this.#options;
    const latest = action === "look" || action === "bye" ? 0 : this.#storeMicros(sentMs) + BEAT_LATE_MS * 1000;
    const known = this.#wasJoined ? this.#roll : null;
    const peers = action === "join" ? (known?.peers ?? []) : [];
    return [action, id, run, String(known?.share ?? 0), String(latest), ...peers];
  }

  async #ask(action: Action): Promise<Roll["status"]> {
    const { store, clock, onAnswer } = this.#options;
    const sentMs = clock.nowMs();
    const beforeMs = this.#lastMaybeMs;
    // Before it is known: a process that is paused here must not take its share for withheld already.
    if (action === "join" || action === "beat") this.#lastMaybeMs = sentMs;
    try {
      const call = { keys: [KEY], args: this.#args(action, sentMs) };
      const told = await store.script(PRESENCE_SCRIPT, call, { timeoutMs: BEAT_LATE_MS });
      onAnswer();
      if (told.status !== "done") this.#lastMaybeMs = beforeMs;
      // What a look tells of shares is only for the time until it has joined: its own share stands.
      const isDone = told.status === "done";
      // A store that does not know this gateway has lost the others as well: it is to hear of them.
      const peers = isDone || told.peers.includes(this.#options.id) ? told.peers : (this.#roll?.peers ?? []);
      this.#roll = { ...told, peers, share: isDone ? told.share : (this.#roll?.share ?? 0) };
      this.#rollSentMs = sentMs;
      this.#rollTakenMs = clock.nowMs();
      return told.status;
    } catch (error) {
      if (error instanceof StoreError && !error.mayHaveRun) this.#lastMaybeMs = beforeMs;
      throw error;
    }
  }

  async #comeBack(): Promise<void> {
    const { clock, settle } = this.#options;
    await this.#ask("look");
    const hasSpent = this.#wasJoined && this.localSince(clock.nowMs()) !== null;
    // From here on nothing is spent of the own share: it goes back to the others.
    this.#isReturning = true;
    try {
      if (hasSpent && !(await settle())) return;
      this.#isJoined = (await this.#ask("join")) === "done";
      this.#wasJoined ||= this.#isJoined;
    } finally {
      this.#isReturning = false;
    }
  }

  async #beat(): Promise<void> {
    if ((await this.#ask("beat")) === "done") return;
    this.#isJoined = false;
    await this.#comeBack();
  }

  async #turn(): Promise<void> {
    if (this.#isBusy || this.#isClosed) return;
    this.#isBusy = true;
    const { clock } = this.#options;
    const sentMs = clock.nowMs();
    try {
      await (this.#isJoined ? this.#beat() : this.#comeBack());
    } catch {
      this.#isJoined = false;
    }
    this.#isBusy = false;
    this.isOpening = false;
    this.#first.resolve();
    this.#callOff();
    if (this.#isClosed) return;
    const nextMs = sentMs + (this.#isJoined ? BEAT_MS : LOOK_MS);
    this.#callOff = clock.after(Math.max(1, nextMs - clock.nowMs()), () => void this.#turn());
  }

  renew(): void {
    if (!this.#isBusy) void this.#turn();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#callOff();
    if (this.#wasJoined) await this.#ask("bye").catch(() => {});
  }
}

/** Joins the gateways of a store and stays among them. Begins at once; `close` it. */
export function createPresence(options: PresenceOptions): Presence {
  return new Member(options);
}
