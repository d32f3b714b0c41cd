/** Many calls that become one. */
export interface Debounce {
  soon(): void;
  /** Nothing is called any more, until the next `soon`. */
  cancel(): void;
}

/** Calls `act` when `delayMs` have passed since the last `soon`, or ten times that since the first. */
export function createDebounce(delayMs: number, act: () => void): Debounce {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let latestAt = 0;
  function cancel(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  }
  function soon(): void {
    const now = performance.now();
    if (timer === null) latestAt = now + delayMs * 10;
    cancel();
    timer = setTimeout(
      () => {
        timer = null;
        act();
      },
      Math.max(0, Math.min(delayMs, latestAt - now)),
    );
  }
  return { soon, cancel };
}
