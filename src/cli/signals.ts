import { EXIT } from "./command.ts";

/** A terminal and the package runner above us both pass one Ctrl-C on: interrupts so close together are one. */
const ONE_SIGNAL_MS = 500;

/** The signals that a running gateway heeds. */
export interface Signals {
  /** Resolves at the first SIGTERM or SIGINT. */
  readonly stopped: Promise<void>;
  /** Calls it for every SIGHUP, and at once for one that came before. */
  onHangUp(handler: () => Promise<void>): void;
  /** Calls it for every SIGUSR2, and at once for one that came before. */
  onRestart(handler: () => Promise<void>): void;
  /** Calls it before a second signal ends the process. */
  onForce(handler: () => void): void;
  close(): void;
}

/** Takes signals from the first moment on: one that comes while the gateway starts must not end the process. */
export function listenToSignals(): Signals {
  const stop = Promise.withResolvers<void>();
  let firstAt = 0;
  const hangUp = createHandler();
  const restart = createHandler();
  let force = (): void => {};
  const onStop = (signal: NodeJS.Signals) => {
    const now = performance.now();
    const isEcho = signal === "SIGINT" && now - firstAt <= ONE_SIGNAL_MS;
    if (firstAt === 0) firstAt = now;
    else if (!isEcho) {
      force();
      process.exit(EXIT.failed);
    }
    stop.resolve();
  };
  const handlers = [
    ["SIGTERM", onStop],
    ["SIGINT", onStop],
    ["SIGHUP", hangUp.signal],
    ["SIGUSR2", restart.signal],
  ] as const;
  for (const [name, handler] of handlers) process.on(name, handler);
  return {
    stopped: stop.promise,
    onHangUp: hangUp.set,
    onRestart: restart.set,
    onForce(handler) {
      force = handler;
    },
    close() {
      for (const [name, handler] of handlers) process.off(name, handler);
    },
  };
}

/** A handler that may come after its signal. */
function createHandler() {
  let handler: (() => Promise<void>) | null = null;
  let hasCome = false;
  return {
    signal(): void {
      hasCome = true;
      void handler?.();
    },
    set(given: () => Promise<void>): void {
      handler = given;
      if (hasCome) void given();
    },
  };
}
