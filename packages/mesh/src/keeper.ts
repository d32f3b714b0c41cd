import { createBeats, later } from "./beats.ts";
import { atMost, reasonOf } from "./pause.ts";
import type { MeshEndpoint } from "./record.ts";
import { createRegistration } from "./registration.ts";
import type { MeshWriter } from "./writer.ts";

/**
 * - `joining`: it has not been written yet;
 * - `joined`: the last writing stood;
 * - `away`: the last one failed, or is not answered; it is tried on, and gateways use the endpoint until its lease ends;
 * - `left`: it is kept no more.
 */
export type MemberState = "joining" | "joined" | "away" | "left";

/** An endpoint that is kept in the registry. */
export interface Keeper {
  readonly state: MemberState;
  /** Writes it at once, in a writing that begins after this call. Resolves with whether it stands; never rejects. */
  beat(): Promise<boolean>;
  /** Writes it soon, at most once a second. */
  beatSoon(): void;
  /** Ends the keeping and takes the endpoint out. Resolves with whether it is out; else its lease will end. */
  leave(): Promise<boolean>;
}

export interface KeeperOptions {
  readonly writer: Pick<MeshWriter, "register" | "deregister">;
  readonly service: string;
  readonly id: string;
  /** What is to be written now. */
  readonly endpoint: () => MeshEndpoint;
  readonly leaseMs: number;
  /** 0 to 1, so that many services do not write in one moment. */
  readonly random: () => number;
  /** Whether its timers hold the process up. */
  readonly holdsProcess: boolean;
  /** Told every change of `state`, with what is wrong if anything is. Must not throw. */
  readonly onState: (state: MemberState, reason: string | null) => void;
}

/** Two renewals may be lost. */
const SHARE = 1 / 3;
const SLOW_MS = 2000;
const LEAVE_MS = 2000;

/** Keeps an endpoint registered, from now on and through every loss of Redis. Never more than one writing is under way. */
export function createKeeper(options: KeeperOptions): Keeper {
  const { writer, service, id, leaseMs, random, holdsProcess, onState } = options;
  const register = createRegistration(options);
  const beats = createBeats({ step: write, everyMs: leaseMs * SHARE, random, holdsProcess });
  let state: MemberState = "joining";
  let parting: Promise<boolean> | null = null;

  function enter(next: MemberState, reason: string | null): void {
    if (state === next || (parting !== null && next !== "left")) return;
    state = next;
    onState(next, reason);
  }

  async function write(): Promise<boolean> {
    const slow = later(SLOW_MS, holdsProcess, () => enter("away", "Redis does not answer"));
    try {
      await register();
      enter("joined", null);
      return true;
    } catch (error) {
      enter("away", reasonOf(error));
      return false;
    } finally {
      clearTimeout(slow);
    }
  }

  async function part(): Promise<boolean> {
    // A writing that is under way would bring it back after it was taken out.
    await atMost(LEAVE_MS, beats.stop()).catch(() => {});
    try {
      await atMost(LEAVE_MS, writer.deregister(service, id));
      enter("left", null);
      return true;
    } catch (error) {
      enter("left", reasonOf(error));
      return false;
    }
  }

  void beats.now();
  return {
    get state() {
      return state;
    },
    beat: beats.now,
    beatSoon: beats.soon,
    leave: () => {
      parting ??= part();
      return parting;
    },
  };
}
