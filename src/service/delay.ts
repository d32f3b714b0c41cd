import { inEvent } from "../wire/event.ts";

/** Calls `done` after so many milliseconds; what it returns calls that off. */
export type Delay = (ms: number, done: () => void) => () => void;

/** By the runtime's timers. What `done` writes is gathered as in a socket's event. */
export const runtimeDelay: Delay = (ms, done) => {
  const timer = setTimeout(() => inEvent(done, (run) => run()), ms);
  return () => clearTimeout(timer);
};
