/** A timer that is set anew each time, and keeps no process alive. */
export interface Alarm {
  /** Calls once, so many milliseconds from now; what was set before is off. */
  set(inMs: number): void;
  clear(): void;
}

/** Makes an alarm that is not set; `clear` it in the end. */
export function createAlarm(run: () => void): Alarm {
  let timer: NodeJS.Timeout | undefined;
  const clear = (): void => clearTimeout(timer);
  return {
    clear,
    set: (inMs) => {
      clear();
      timer = setTimeout(run, Math.max(1, inMs));
      timer.unref();
    },
  };
}
