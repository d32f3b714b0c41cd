const SIGNALS = ["SIGTERM", "SIGINT"] as const;

type Signal = (typeof SIGNALS)[number];

/** Those that leave when the process ends. */
const leavers = new Set<() => Promise<unknown>>();
/** What the second signal must not wait for. */
let isLeaving = false;

async function leaveAll(): Promise<void> {
  await Promise.all([...leavers].map((leave) => leave()));
}

/** Ends the process as the signal would have done without us, or leaves it to those who listen for it as well. */
async function onSignal(signal: Signal): Promise<void> {
  // Asked before anything is awaited: a listener for one signal is gone after it. Ours stands before all others.
  const isOnlyOurs = process.listenerCount(signal) === 1;
  const isSecond = isLeaving;
  isLeaving = true;
  if (!isSecond) await leaveAll();
  if (!isOnlyOurs) return;
  unlisten();
  process.kill(process.pid, signal);
}

function onSigterm(): void {
  void onSignal("SIGTERM");
}

function onSigint(): void {
  void onSignal("SIGINT");
}

/** The process has nothing more to do: leaving is the last. */
function onBeforeExit(): void {
  void leaveAll();
}

function listen(): void {
  isLeaving = false;
  process.prependListener("SIGTERM", onSigterm);
  process.prependListener("SIGINT", onSigint);
  process.prependListener("beforeExit", onBeforeExit);
}

function unlisten(): void {
  process.off("SIGTERM", onSigterm);
  process.off("SIGINT", onSigint);
  process.off("beforeExit", onBeforeExit);
}

/**
 * Calls `leave`, which must not reject, when the process gets SIGTERM or SIGINT or has nothing more to do. A signal that
 * nobody else listens for ends the process after that, as it would have done; a second one at once. Call what it
 * returns to take this back.
 */
export function leaveAtExit(leave: () => Promise<unknown>): () => void {
  if (leavers.size === 0) listen();
  leavers.add(leave);
  return () => {
    if (leavers.delete(leave) && leavers.size === 0) unlisten();
  };
}
