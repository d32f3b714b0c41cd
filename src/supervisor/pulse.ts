/** How long a worker may be silent. All in milliseconds. */
export interface PulseLimits {
  /** How often it is asked. */
  readonly everyMs: number;
  /** After so long without an answer, new connections go elsewhere. */
  readonly silentMs: number;
  /** After so long without an answer, it is given up. */
  readonly hungMs: number;
}

/** A worker answers between two pieces of work, each of which may take long: the last bound is far above any of them. */
export const PULSE: PulseLimits = { everyMs: 1000, silentMs: 2000, hungMs: 10_000 };

/** Whether another process still does its work. */
export interface Pulse {
  /** True while it has not answered for `silentMs`. */
  readonly isSilent: boolean;
  /** True when it was given up. */
  readonly isHung: boolean;
  /** It said something. */
  heard(): void;
  close(): void;
}

export interface PulseOptions {
  readonly limits: PulseLimits;
  /** Makes it say something, soon. */
  readonly ask: () => void;
  /** Says whether its silence has another reason now, such that it is not to be given up. */
  readonly isExcused: () => boolean;
  /** `isSilent` is another one. */
  readonly onChange: () => void;
  /** Called once. */
  readonly onHung: () => void;
}

/** Asks from now on, until it is given up or closed. */
export function createPulse({ limits, ask, isExcused, onChange, onHung }: PulseOptions): Pulse {
  // Counted in questions, not by a clock: when this process or the whole machine rested, that was no silence.
  let silentMs = 0;
  let isAsked = false;
  let isSilent = false;
  let isHung = false;
  const timer = setInterval(look, limits.everyMs);

  function look(): void {
    if (!isAsked) {
      isAsked = true;
      ask();
      return;
    }
    silentMs += limits.everyMs;
    if (silentMs >= limits.silentMs) turn(true);
    if (silentMs < limits.hungMs || isExcused()) return;
    clearInterval(timer);
    isHung = true;
    onHung();
  }

  function turn(next: boolean): void {
    if (next === isSilent) return;
    isSilent = next;
    onChange();
  }

  return {
    get isSilent() {
      return isSilent;
    },
    get isHung() {
      return isHung;
    },
    heard() {
      silentMs = 0;
      isAsked = false;
      turn(false);
    },
    close: () => clearInterval(timer),
  };
}
