import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import type { Clock } from "./clock.ts";
import { PRESENCE_SCRIPT, type Roll, type View } from "./presence-script.ts";
import { BEAT_LATE_MS, GUARD_MS, LIFE_MS, MICRO, VIEW_MS } from "./units.ts";

const KEY = "limit:{gateways}";
const BEAT_MS = 400;
/** Between looks for a store that does not answer. */
const LOOK_MS = 200;
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

/** Joins the gateways of a store and stays among them. Begins at once; `close` it. */
export function createPresence(options: PresenceOptions): Presence {
  const { store, clock, id, run } = options;
  const startedMs = clock.nowMs();
  let roll: Roll | null = null;
  let rollSentMs = 0;
  let rollTakenMs = 0;
  let isJoined = false;
  let wasJoined = false;
  let isReturning = false;
  let isClosed = false;
  let lastMaybeMs = startedMs;
  let callOff = (): void => {};
  let isBusy = false;
  let isOpening = true;
  const first = Promise.withResolvers<void>();

  function isFresh(nowMs: number): boolean {
    return roll !== null && nowMs < rollSentMs + VIEW_MS;
  }

  /** The store's clock, not later than it is. */
  function storeMicros(nowMs: number): number {
    return roll === null ? 0 : Math.floor(roll.view.at + (nowMs - rollTakenMs) * 1000);
  }

  function args(action: Action, sentMs: number): string[] {
    const latest = action === "look" || action === "bye" ? 0 : storeMicros(sentMs) + BEAT_LATE_MS * 1000;
    const believed = wasJoined ? (roll?.share ?? 0) : 0;
    const peers = action === "join" && wasJoined ? (roll?.peers ?? []) : [];
    return [action, id, run, String(believed), String(latest), ...peers];
  }

  async function ask(action: Action): Promise<Roll["status"]> {
    const sentMs = clock.nowMs();
    const beforeMs = lastMaybeMs;
    // Before it is known: a process that is paused here must not take its share for withheld already.
    if (action === "join" || action === "beat") lastMaybeMs = sentMs;
    try {
      const call = { keys: [KEY], args: args(action, sentMs) };
      const told = await store.script(PRESENCE_SCRIPT, call, { timeoutMs: BEAT_LATE_MS });
      options.onAnswer();
      if (told.status !== "done") lastMaybeMs = beforeMs;
      // What a look tells of shares is only for the time until it has joined: its own share stands.
      roll = { ...told, share: told.status === "done" ? told.share : (roll?.share ?? 0) };
      rollSentMs = sentMs;
      rollTakenMs = clock.nowMs();
      return told.status;
    } catch (error) {
      if (error instanceof StoreError && !error.mayHaveRun) lastMaybeMs = beforeMs;
      throw error;
    }
  }

  async function comeBack(): Promise<void> {
    await ask("look");
    const hasSpent = wasJoined && localSince(clock.nowMs()) !== null;
    // From here on nothing is spent of the own share: it goes back to the others.
    isReturning = true;
    try {
      if (hasSpent && !(await options.settle())) return;
      isJoined = (await ask("join")) === "done";
      wasJoined ||= isJoined;
    } finally {
      isReturning = false;
    }
  }

  async function beat(): Promise<void> {
    const status = await ask("beat");
    if (status === "done") return;
    isJoined = false;
    await comeBack();
  }

  async function turn(): Promise<void> {
    if (isBusy || isClosed) return;
    isBusy = true;
    const sentMs = clock.nowMs();
    let nextMs = BEAT_MS;
    try {
      await (isJoined ? beat() : comeBack());
      if (!isJoined) nextMs = LOOK_MS;
    } catch {
      isJoined = false;
      nextMs = LOOK_MS;
    }
    isBusy = false;
    isOpening = false;
    first.resolve();
    if (isClosed) return;
    callOff();
    callOff = clock.after(Math.max(1, sentMs + nextMs - clock.nowMs()), () => void turn());
  }

  function localSince(nowMs: number): number | null {
    if (isReturning || (isJoined && isFresh(nowMs))) return null;
    if (!wasJoined) return isOpening ? null : startedMs;
    const fromMs = lastMaybeMs + SILENT_MS;
    return nowMs < fromMs ? null : fromMs;
  }

  void turn();
  return {
    first: first.promise,
    get isOpening() {
      return isOpening;
    },
    view: (nowMs) => (roll !== null && (isJoined || isReturning || wasJoined) && isFresh(nowMs) ? roll.view : null),
    localSince,
    get localFromMs() {
      return lastMaybeMs + SILENT_MS;
    },
    get share() {
      return wasJoined ? (roll?.share ?? 0) : Math.floor(options.assumedShare * MICRO);
    },
    get gateways() {
      return roll?.gateways ?? 0;
    },
    get vanished() {
      return roll?.vanished ?? 0;
    },
    renew: () => {
      if (!isBusy) void turn();
    },
    close: async () => {
      isClosed = true;
      callOff();
      if (wasJoined) await ask("bye").catch(() => {});
    },
  };
}
