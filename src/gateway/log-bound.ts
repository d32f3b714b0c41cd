/** So many lines of one service within a minute; of more only the number is said. */
const MOST = 20;
const WITHIN_MS = 60_000;

export interface LogBoundOptions {
  /** Milliseconds of any steady clock. */
  readonly nowMs: () => number;
  /** Says how many lines of a service were left out: of the first at once, of the others in a later minute. */
  readonly onMore: (service: string, more: number) => void;
}

interface Minute {
  readonly atMs: number;
  lines: number;
  untold: number;
}

/**
 * Bounds what is logged of each service: what endpoints say of themselves must not fill the log. The function says
 * whether the next line of a service may be written. It remembers services only as long as they have something to say.
 */
export function createLogBound({ nowMs, onMore }: LogBoundOptions): (service: string) => boolean {
  const minutes = new Map<string, Minute>();

  function turn(): void {
    for (const [service, { atMs, untold }] of minutes) {
      if (nowMs() - atMs < WITHIN_MS) continue;
      minutes.delete(service);
      if (untold > 0) onMore(service, untold);
    }
  }

  return (service) => {
    turn();
    const minute = minutes.get(service) ?? { atMs: nowMs(), lines: 0, untold: 0 };
    minutes.set(service, minute);
    minute.lines++;
    if (minute.lines <= MOST) return true;
    if (minute.lines === MOST + 1) onMore(service, 1);
    else minute.untold++;
    return false;
  };
}
