import { EXIT } from "./command.ts";

/** A terminal and the package runner above us both pass one Ctrl-C on: interrupts so close together are one. */
const ONE_SIGNAL_MS = 500;

/** The signals that a running gateway heeds. */
export interface Signals {
  /** Resolves at the first SIGTERM or SIGINT. */
  readonly stopped: Promise<void>;
  /** Calls it for every SIGHUP, and at once for one that came before. */
  onHangUp(handler: () => Promise<void>): void;
  /** Calls it for every SIGUSR2. */
  onRestart(handler: () => Promise<void>): void;
  /** Calls it before a second signal ends the process. */
  onForce(handler: () => void): void;
  close(): void;
}

/** Takes signals from the first moment on: one that comes while the gateway starts must not end the process. */
export function listenToSignals(): Signals {
  const stop = Promise.withResolvers<void>();
  let firstAt = 0;
  let hangUp: (() => Promise<void>) | null = null;
  let restart: (() => Promise<void>) | null = null;
  let force = (): void => {};
  let hasHungUp = false;
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
  const onHangUp = () => {
    hasHungUp = true;
    void hangUp?.();
  };
  const onRestart = () => void restart?.();
  const handlers = [
    ["SIGTERM", onStop],
    ["SIGINT", onStop],
    ["SIGHUP", onHangUp],
    ["SIGUSR2", onRestart],
  ] as const;
  for (const [name, handler] of handlers) process.on(name, handler);
  return {
    stopped: stop.promise,
    onHangUp(handler) {
      hangUp = handler;
      if (hasHungUp) void handler();
    },
    onRestart(handler) {
      restart = handler;
    },
    onForce(handler) {
      force = handler;
    },
    close() {
      for (const [name, handler] of handlers) process.off(name, handler);
    },
  };
}
