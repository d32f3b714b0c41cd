import type { Logger } from "pino";
import type { ShutdownConfig } from "../config/types.ts";
import type { Result } from "./inbox.ts";
import type { RestartReason } from "./metrics.ts";
import type { PulseLimits } from "./pulse.ts";
import { createSlot, type Slot } from "./slot.ts";
import type { Sockets } from "./sockets.ts";
import { startWorker, type WorkerOptions, type WorkerProcess } from "./worker-process.ts";

/** Beyond the bounds of its drain, a worker needs time to write its log and to end. */
const END_MS = 5000;

export interface CrewOptions {
  readonly worker: Omit<WorkerOptions, "slot" | "seat" | "sockets">;
  readonly sockets: Sockets;
  readonly log: Logger;
  readonly pulse: PulseLimits;
  /** The bounds of a drain, asked at each. */
  readonly shutdown: () => ShutdownConfig;
  readonly onRestart: (reason: RestartReason) => void;
  readonly onGone: (worker: WorkerProcess) => void;
}

/** The workers in their slots. */
export interface Crew {
  /** Slots 1 to n. */
  readonly slots: readonly Slot[];
  processes(): readonly WorkerProcess[];
  /**
   * Why connections may come where nobody accepts: a worker is gone or silent, or one has rested long for memory; null
   * when none may.
   */
  readonly trouble: "missing" | "overloaded" | null;
  /** Adds slots up to this number and starts their workers; on failure they are gone again. Never less than before. */
  grow(count: number): Promise<Result | null>;
  /** Ends the workers of slots above this number, after new connections have been kept from them. */
  shrink(count: number): Promise<void>;
  /** Drains all at once; nobody is started any more. */
  stop(): Promise<void>;
  kill(): void;
}

/** Nobody yet. */
export function createCrew(options: CrewOptions): Crew {
  const { sockets } = options;
  let slots: readonly Slot[] = [];
  // Slots that are given up: their workers may still drain.
  const leaving = new Set<Slot>();
  const seats = createSeats();
  let isSteered = true;

  function steer(): void {
    isSteered = sockets.steer((number, key) => {
      const slot = slots[number - 1];
      return slot?.isTaking === true && slot.current?.keys.has(key) === true;
    });
  }

  async function leave(given: readonly Slot[]): Promise<void> {
    for (const slot of given) leaving.add(slot);
    steer();
    await Promise.all(given.map((slot) => slot.stop({ isPatient: true })));
    for (const slot of given) leaving.delete(slot);
  }

  async function shrink(count: number): Promise<void> {
    const given = slots.slice(count);
    slots = slots.slice(0, count);
    if (given.length > 0) await leave(given);
  }

  return {
    get slots() {
      return slots;
    },
    processes: () => [...slots, ...leaving].flatMap((slot) => [...slot.processes]),
    get trouble() {
      const isEnough = (count: number) => count > 0 && (isSteered || count === slots.length);
      if (!isEnough(slots.filter((slot) => slot.isAnswering).length)) return "missing";
      return isEnough(slots.filter((slot) => slot.isTaking).length) ? null : "overloaded";
    },
    async grow(count) {
      const before = slots.length;
      const added = Array.from({ length: Math.max(count - before, 0) }, (_, at) =>
        newSlot(before + at + 1, { ...options, seats }, steer),
      );
      slots = [...slots, ...added];
      steer();
      const results = await Promise.all(added.map((slot) => slot.start()));
      const failed = results.find((result) => !result.isDone) ?? null;
      if (failed !== null) await shrink(before);
      return failed;
    },
    shrink,
    async stop() {
      await Promise.all([...slots, ...leaving].map((slot) => slot.stop({ isPatient: false })));
    },
    kill() {
      for (const slot of [...slots, ...leaving]) slot.kill();
    },
  };
}

/** Lowest numbers that nobody has: one who comes back after a crash has his own again, and two who overlap differ. */
interface Seats {
  take(): number;
  free(seat: number): void;
}

function createSeats(): Seats {
  const taken = new Set<number>();
  return {
    take() {
      let seat = 1;
      while (taken.has(seat)) seat++;
      taken.add(seat);
      return seat;
    },
    free: (seat) => void taken.delete(seat),
  };
}

function start(seats: Seats, options: Omit<WorkerOptions, "seat">): WorkerProcess {
  const seat = seats.take();
  try {
    const process = startWorker({ ...options, seat });
    void process.exited.then(() => seats.free(seat));
    return process;
  } catch (error) {
    seats.free(seat);
    throw error;
  }
}

function newSlot(number: number, options: CrewOptions & { readonly seats: Seats }, onChange: () => void): Slot {
  const { log, pulse, onRestart, onGone, worker, sockets } = options;
  return createSlot({
    number,
    log,
    pulse,
    spawn: () => start(options.seats, { ...worker, slot: number, sockets: sockets.forSlot(number) }),
    drainBoundMs() {
      const { delayMs, timeoutMs } = options.shutdown();
      return delayMs + timeoutMs + END_MS;
    },
    onChange,
    onRestart,
    onGone,
  });
}
