export interface BeatsOptions {
  /** One beat; says whether it succeeded. Must not reject. Never two at once. */
  readonly step: () => Promise<boolean>;
  /** Milliseconds between two that succeed, give or take a tenth. */
  readonly everyMs: number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Whether its timers hold the process up. */
  readonly holdsProcess: boolean;
}

/** A step that is done again and again. */
export interface Beats {
  /** A beat that begins after this call, at once unless one is under way. False when there will be none. */
  now(): Promise<boolean>;
  /** One within a second, however often that is asked for. */
  soon(): void;
  /** Begins none any more. Resolves when none is under way. */
  stop(): Promise<void>;
}

const SOON_MS = 1000;

/** A timer, which holds the process up or does not. */
export function later(ms: number, holdsProcess: boolean, step: () => void): NodeJS.Timeout {
  const timer = setTimeout(step, ms);
  if (!holdsProcess) timer.unref();
  return timer;
}

/** Begins with `now`. After one that failed the next comes soon. */
export function createBeats({ step, everyMs, random, holdsProcess }: BeatsOptions): Beats {
  const soonMs = Math.min(everyMs, SOON_MS);
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let isSoonAsked = false;
  let current: Promise<boolean> | null = null;
  let following: Promise<boolean> | null = null;

  function plan(ms: number): void {
    clearTimeout(timer);
    if (!isStopped) timer = later(ms * (0.9 + 0.2 * random()), holdsProcess, () => void now());
  }

  async function run(): Promise<boolean> {
    clearTimeout(timer);
    isSoonAsked = false;
    const isDone = await step();
    current = null;
    plan(isDone && !isSoonAsked ? everyMs : soonMs);
    return isDone;
  }

  function now(): Promise<boolean> {
    if (isStopped) return Promise.resolve(false);
    if (current === null) {
      current = run();
      return current;
    }
    following ??= current.then(() => {
      following = null;
      return now();
    });
    return following;
  }

  return {
    now,
    soon: () => {
      // Asked again and again it must not be put off.
      if (isSoonAsked) return;
      isSoonAsked = true;
      if (current === null) plan(soonMs);
    },
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
