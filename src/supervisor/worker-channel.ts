import { type FromWorker, parseToWorker, type ToWorker } from "./message.ts";

/** A worker's end of what it and the supervisor tell each other. */
export interface WorkerChannel {
  /** Lost, without a word, when the supervisor is gone. */
  send(message: FromWorker): void;
  /** Calls it for every message, those that came before included. */
  onMessage(handler: (message: ToWorker) => void): void;
  /** Resolves when the supervisor closed its end, or is gone. */
  readonly closed: Promise<void>;
  readonly isOpen: boolean;
}

/** The channel to the process that started this one; null when nobody is there. */
export function openWorkerChannel(): WorkerChannel | null {
  if (process.send === undefined) return null;
  const closed = Promise.withResolvers<void>();
  const early: ToWorker[] = [];
  let handle = (message: ToWorker): void => void early.push(message);
  let isOpen = process.connected;
  // At once: with any listener on the channel, the runtime drops messages that nobody listens to.
  process.on("message", (received: unknown) => {
    const message = parseToWorker(received);
    if (message !== null) handle(message);
  });
  process.on("disconnect", () => {
    isOpen = false;
    closed.resolve();
  });
  return {
    send(message) {
      if (isOpen) process.send?.(message);
    },
    onMessage(handler) {
      handle = handler;
      for (const message of early.splice(0)) handler(message);
    },
    closed: closed.promise,
    get isOpen() {
      return isOpen;
    },
  };
}
